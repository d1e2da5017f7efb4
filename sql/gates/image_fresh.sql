-- image_fresh: the project's image command has exited with 0 on this code (M-6).
create function orch.gate_image_fresh(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'image_fresh');
end
$$;
comment on function orch.gate_image_fresh(orch.task) is 'M-6: the image that staging runs is fresh; only for projects with an image command';
