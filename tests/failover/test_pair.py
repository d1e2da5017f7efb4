"""The pair of servers that the other tests of this suite stand on: what is acknowledged is on both."""

import psycopg2
import pytest


def test_the_standby_takes_over_and_the_old_primary_comes_back(pair):
    pair.database.query("create table kept (n int)")
    pair.database.query("insert into kept values (1)")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        pair.b.query("insert into kept values (2)")
    pair.a.power_off()
    assert not pair.a.is_running()
    server, seconds = pair.promote()
    assert server is pair.b and seconds < 20
    pair.database.query("insert into kept values (3)")
    pair.a.network.heal(pair.a.host)
    pair.follow(pair.a)
    pair.wait_caught_up()
    assert [n for n, in pair.a.query("select n from kept order by n")] == [1, 3]
    pair.b.restart("immediate")
    pair.database.forget_connections()
    pair.wait_streaming()


def test_a_suite_on_a_host_finds_the_primary(network, pair, make_suite):
    suite = make_suite(host=network.host("one")).start()
    assert suite.orchctl_json("status")
    names = pair.database.column("select name from orch.host")
    assert names == ["one"]
    addresses = suite.wait_for(lambda: pair.database.column("select distinct host(client_addr) from pg_stat_activity"
                                                            " where usename = 'orch_workerd'"), what="the worker is connected")
    assert addresses == [suite.host.address]
    network.partition(suite.host)
    suite.wait_for(lambda: not suite.is_ready(), what="the suite says that its database is away")
    network.heal()
    suite.wait_ready()
