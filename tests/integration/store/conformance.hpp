// The conformance suite: what every store answers. Each function takes a fresh, empty store.
#pragma once

#include "libnlb/store/election.hpp"
#include "tests/integration/store/stores.hpp"

namespace nlb::store::test {

inline JournalRecord record(std::string kind, std::string body, std::string command = "") {
  return {0, MonoTime(5s), WallTime(1700000000s), std::move(command), std::move(kind), std::move(body)};
}

inline void keys_and_ranges(Bench& bench) {
  auto& store = bench.store();
  CHECK_FALSE(store.get("a").value().has_value());
  const auto first = store.put("b/1", std::string("\0\xff\n", 3)).value();
  const auto second = store.put("b/0", "").value();
  const auto third = store.put("b/1", "new").value();
  CHECK((first < second && second < third));
  store.put("b", "above");
  store.put("c", "below");
  store.put("b/\xff\xff", "last");
  CHECK(store.get("b/1").value() == Entry{"b/1", "new", first, third, 0});

  const auto all = store.range("b/").value();
  REQUIRE(all.entries.size() == 3);
  CHECK(all.entries[0] == Entry{"b/0", "", second, second, 0});
  CHECK(all.entries[1].key == "b/1");
  CHECK(all.entries[2].key == "b/\xff\xff");
  CHECK(store.range("").value().entries.size() == 5);
  CHECK(store.range("nothing").value().entries.empty());

  const auto removed = store.remove("b/1").value();
  CHECK(removed > all.revision);
  CHECK(store.remove("b/1").value() == removed);           // it isn't there: nothing changes
  CHECK_FALSE(store.get("b/1").value().has_value());
  const auto again = store.put("b/1", "third life").value();
  CHECK(store.get("b/1").value()->created == again);
  const std::string bytes("\0\1\2", 3);
  store.put(bytes, bytes);
  CHECK(store.get(bytes).value()->value == bytes);
}

inline void transactions(Bench& bench) {
  auto& store = bench.store();
  const auto made = store.commit({{absent("x"), absent("y")}, {put_of("x", "1"), put_of("y", "1")}, {}}).value().revision;
  CHECK(store.get("x").value()->created == made);
  CHECK(store.get("y").value()->created == made);          // one revision for all of it

  const auto refused = store.commit({{absent("x")}, {put_of("x", "2"), put_of("z", "2")}, {record("k", "b")}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::conflict);
  CHECK(refused.error().text == "key 'x' was created at revision " + std::to_string(made) +
                                    ", not 0: somebody else was first: read it again");
  CHECK(store.get("x").value()->value == "1");
  CHECK_FALSE(store.get("z").value().has_value());
  CHECK(store.journal(0, 10).value().empty());

  const auto changed = store.commit({{modified_at("x", made), created_at("y", made)}, {put_of("x", "3"), remove_of("y")}, {}});
  REQUIRE(changed);
  CHECK(store.commit({{modified_at("x", made)}, {put_of("x", "4")}, {}}).error().kind == ErrorKind::conflict);
  CHECK(store.commit({{created_at("x", made)}, {put_of("x", "5")}, {}}).has_value());
  CHECK(store.commit({{created_at("y", made)}, {put_of("x", "6")}, {}}).error().kind == ErrorKind::conflict);
  CHECK(store.commit({{absent("x"), absent("y")}, {}, {}}).error().kind == ErrorKind::conflict);
  CHECK(store.get("x").value()->value == "5");
}

inline void limits(Bench& bench) {
  auto& store = bench.store();
  const auto kind = [&](const Transaction& transaction) { return store.commit(transaction).error().kind; };
  CHECK(kind({{}, {put_of("a", "1"), put_of("a", "2")}, {}}) == ErrorKind::bad_input);
  CHECK(kind({{}, {put_of("a", "1"), remove_of("a")}, {}}) == ErrorKind::bad_input);
  CHECK(kind({{}, {put_of("", "1")}, {}}) == ErrorKind::bad_input);
  CHECK(kind({{}, {put_of(std::string(key_bytes_max + 1, 'k'), "1")}, {}}) == ErrorKind::bad_input);
  CHECK(kind({{}, {put_of("a", std::string(transaction_bytes_max, 'v'))}, {}}) == ErrorKind::bad_input);
  Transaction many;
  for (std::size_t i = 0; i < operations_max; ++i) many.then.push_back(put_of("many/" + std::to_string(i), "v"));
  CHECK(store.commit(many).has_value());
  many.then.push_back(put_of("one more", "v"));
  CHECK(kind(many) == ErrorKind::bad_input);
  CHECK(store.put("a", std::string(transaction_bytes_max - 1, 'v')).has_value());
  CHECK(store.get("a").value()->value.size() == transaction_bytes_max - 1);
  CHECK(kind({{}, {put_of("b", "1", 4242)}, {}}) == ErrorKind::not_found);   // no such lease
  CHECK(store.compact(1'000'000'000).error().kind == ErrorKind::bad_input);
}

inline void leases(Bench& bench) {
  auto& store = bench.store();
  const auto lease = store.grant(bench.ttl()).value();
  const auto kept = store.grant(bench.ttl()).value();
  CHECK(lease.id != kept.id);
  CHECK(lease.ttl >= bench.ttl());
  store.commit({{}, {put_of("l/1", "a", lease.id), put_of("l/2", "b", lease.id), put_of("k", "c", kept.id), put_of("free", "d", lease.id)}, {}}).value();
  store.put("free", "without");                            // the last put counts: no longer bound
  auto watch = store.watch("l/", 0).value();
  CHECK(store.get("l/1").value()->lease == lease.id);
  CHECK(within(bench, 10s, [&] {
    CHECK(store.keep_alive(kept.id).value().ttl == kept.ttl);
    return !store.get("l/1").value();
  }));
  CHECK_FALSE(store.get("l/2").value().has_value());
  CHECK(store.get("k").value().has_value());
  CHECK(store.get("free").value().has_value());
  CHECK(store.keep_alive(lease.id).error().kind == ErrorKind::not_found);
  const auto events = collect(*watch, 2);
  CHECK(text_of(events) == "-l/1 -l/2");
  REQUIRE(events.size() == 2);
  CHECK(events[0].entry.modified == events[1].entry.modified);   // in one revision
  CHECK(store.put("l/3", "late", lease.id).error().kind == ErrorKind::not_found);

  CHECK(store.revoke(kept.id).has_value());
  CHECK_FALSE(store.get("k").value().has_value());
  CHECK(store.revoke(kept.id).error().kind == ErrorKind::not_found);
}

inline void watches(Bench& bench) {
  auto& store = bench.store();
  const auto before = store.put("w/0", "old").value();
  auto now = store.watch("w/", 0).value();
  auto from = store.watch("w/", before).value();
  store.put("w/1", "a");
  store.put("other", "x");
  store.commit({{}, {put_of("w/2", "b"), remove_of("w/0")}, {}}).value();
  const auto last = bench.other().put("w/1", "c").value();
  CHECK(text_of(collect(*now, 4)) == "+w/1=a +w/2=b -w/0 +w/1=c");
  const auto events = collect(*from, 5);
  CHECK(text_of(events) == "+w/0=old +w/1=a +w/2=b -w/0 +w/1=c");
  CHECK(events.back().entry == store.get("w/1").value());
  CHECK(events[2].entry.modified == events[3].entry.modified);
  const auto quiet = now->next(1ms).value();
  CHECK(quiet.events.empty());
  CHECK(quiet.revision >= last);

  auto late = store.watch("w/", events[1].entry.modified).value();
  CHECK(text_of(collect(*late, 4)) == "+w/1=a +w/2=b -w/0 +w/1=c");
}

inline void compaction(Bench& bench) {
  auto& store = bench.store();
  const auto old = store.put("c/1", "a").value();
  store.put("c/1", "b");
  const auto last = store.put("c/1", "c").value();
  CHECK(store.compact(last).has_value());
  auto watch = store.watch("c/", old).value();
  bool compacted = false;
  CHECK(within(bench, 10s, [&] {
    const auto batch = watch->next(10ms);
    return compacted = batch && batch->compacted;
  }));
  REQUIRE(compacted);
  const auto state = store.range("c/").value();            // the way on: read again, and watch from there
  REQUIRE(state.entries.size() == 1);
  CHECK(state.entries[0].value == "c");
  auto on = store.watch("c/", state.revision + 1).value();
  store.put("c/2", "d");
  CHECK(text_of(collect(*on, 1)) == "+c/2=d");
}

inline void journals(Bench& bench) {
  auto& store = bench.store();
  const auto first = store.commit({{}, {put_of("f", "1")}, {record("intent", "canary 5 %", "u-1"), record("done", std::string("\0x", 2))}}).value();
  const auto third = store.commit({{}, {}, {record("intent", "10 %")}}).value();
  CHECK(first.journal_seq < third.journal_seq);
  auto all = store.journal(0, 100).value();
  REQUIRE(all.size() == 3);
  auto expected = record("intent", "canary 5 %", "u-1");
  expected.seq = all[0].seq;
  CHECK(all[0] == expected);
  CHECK(all[1].body == std::string("\0x", 2));
  CHECK(all[1].seq == first.journal_seq);
  CHECK(all[2].seq == third.journal_seq);
  CHECK(store.journal(0, 2).value().size() == 2);
  CHECK(store.journal(third.journal_seq, 100).value().size() == 1);
  CHECK(store.range("").value().entries.size() == 1);      // the journal is not among the facts
  CHECK(bench.other().commit({{}, {}, {record("k", "from another")}}).value().journal_seq > third.journal_seq);
  CHECK(store.commit({{}, {}, {record("k", "and back")}}).has_value());
  CHECK(store.trim_journal(third.journal_seq).has_value());
  CHECK(store.journal(0, 100).value().size() == 3);
  CHECK(store.trim_journal(1'000'000).has_value());
  CHECK(store.journal(0, 100).value().empty());
  CHECK(store.commit({{}, {}, {record("k", "rises on")}}).value().journal_seq > third.journal_seq + 2);
}

inline void elections(Bench& bench) {
  Election a(bench.store(), {"leader", "a", bench.ttl()}, bench.clock()), b(bench.other(), {"leader", "b", bench.ttl()}, bench.clock());
  CHECK(a.tick() == Election::Notice::won);
  CHECK(a.leads());
  const auto fence = a.fence();
  CHECK(bench.store().commit({{fence}, {put_of("split", "a")}, {}}).has_value());
  for (int i = 0; i < 4; ++i) {                            // who beats, leads, however long
    bench.pass(bench.ttl() / 2);
    CHECK(a.tick() == Election::Notice::none);
    CHECK(b.tick() == Election::Notice::none);
  }
  CHECK(b.leader().value()->value == "a");

  CHECK(within(bench, 10s, [&] { return b.tick() == Election::Notice::won; }));   // a has stopped
  CHECK_FALSE(a.leads());                                  // by its own clock, without asking
  CHECK(b.token() > fence.revision);
  CHECK(bench.store().commit({{fence}, {put_of("split", "late")}, {}}).error().kind == ErrorKind::conflict);
  CHECK(bench.store().get("split").value()->value == "a");
  CHECK(bench.other().commit({{b.fence()}, {put_of("split", "b")}, {}}).has_value());
  CHECK(a.tick() == Election::Notice::lost);
  CHECK(a.tick() == Election::Notice::none);

  CHECK(b.resign().has_value());
  CHECK_FALSE(b.leads());
  CHECK(a.tick() == Election::Notice::won);
  CHECK(a.token() > fence.revision);
}

inline void restarts(Bench& bench) {
  if (!bench.survives()) return;
  const auto lease = bench.store().grant(60s).value();
  const auto first = bench.store().put("kept", "1").value();
  bench.store().put("leased", "x", lease.id);
  const auto last = bench.store().put("kept", "2").value();
  const auto seq = bench.store().commit({{}, {}, {record("k", "kept")}}).value().journal_seq;
  bench.restart();
  CHECK(bench.store().get("kept").value() == Entry{"kept", "2", first, last, 0});
  CHECK(bench.store().get("leased").value()->lease == lease.id);
  CHECK(bench.store().keep_alive(lease.id).has_value());
  CHECK(bench.store().journal(0, 10).value().at(0).body == "kept");
  CHECK(bench.store().range("").value().revision >= last);
  CHECK(bench.store().put("kept", "3").value() > last);
  CHECK(bench.store().commit({{}, {}, {record("k", "more")}}).value().journal_seq > seq);
  CHECK(bench.store().revoke(lease.id).has_value());
  CHECK_FALSE(bench.store().get("leased").value().has_value());
}

struct Case {
  const char* name;
  void (*run)(Bench&);
};
inline constexpr Case conformance[] = {
    {"keys and ranges", keys_and_ranges}, {"transactions", transactions}, {"limits", limits},   {"leases", leases},
    {"watches", watches},                 {"compaction", compaction},     {"journals", journals}, {"elections", elections},
    {"restarts", restarts},
};

}  // namespace nlb::store::test
