/*
 * replay.c - runs a fuzz target over the files of a folder, without libFuzzer: so that every build, with
 * every compiler, still passes what fuzzing has found before. An empty folder is a failure: it proves
 * nothing.
 */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the file's size, so that the address sanitizer sees a read beyond its end. */
static void run_file(const char *folder, const char *name)
{
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* cut: fopen() below says so */
        FILE *file = fopen(path, "rbe");
        struct stat st;
        if (file == NULL || fstat(fileno(file), &st) < 0)
                err(1, "%s", path);
        size_t size = (size_t)st.st_size;
        uint8_t *data = malloc(size);
        if (data == NULL && size > 0)
                err(1, "%s", path);
        if (fread(data, 1, size, file) != size)
                errx(1, "%s: cannot be read", path);
        (void)fclose(file);                       /* was only read */
        (void)LLVMFuzzerTestOneInput(data, size); /* always 0; a finding ends the process */
        free(data);
}

int main(int argc, char *argv[])
{
        if (argc != 2)
                errx(2, "usage: %s FOLDER", argv[0]);
        DIR *folder = opendir(argv[1]);
        if (folder == NULL)
                err(1, "%s", argv[1]);
        int n = 0;
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
                if (entry->d_name[0] == '.')
                        continue;
                run_file(argv[1], entry->d_name);
                n++;
        }
        (void)closedir(folder);
        if (n == 0)
                errx(1, "%s: no inputs", argv[1]);
        printf("%d inputs\n", n);
        return 0;
}
