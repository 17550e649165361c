#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/rollout/judge.hpp"

using namespace nlb::rollout;

namespace {

Sample second(std::int64_t at, Counts counts, std::vector<ReplicaCounts> replicas = {}) {
  return {at, 0.1, {{0, counts, std::move(replicas)}}};
}

Judge judge_of_two_replicas(std::uint64_t bad_a, std::uint64_t bad_b, int seconds, Verdict& verdict) {
  Judge judge;
  for (int t = 0; t < seconds && verdict.finding != Finding::worse && verdict.finding != Finding::eject_replica; ++t) {
    judge.book(second(t, {100, 900, bad_a + bad_b, 1}, {{"a", 50, bad_a}, {"b", 50, bad_b}}));
    verdict = judge.verdict();
  }
  return judge;
}

}  // namespace

TEST_CASE("too little traffic is waiting for traffic, never clear") {
  Judge judge;
  CHECK(judge.exposure_wanted() == 600);
  judge.book(second(0, {599, 5000, 0, 0}));
  CHECK(judge.verdict().finding == Finding::starving);
  judge.book(second(1, {1, 9, 0, 0}));
  CHECK(judge.verdict().finding == Finding::clear);
}

TEST_CASE("enough evidence of not being twice as bad is exposure too") {
  Judge judge({0.01, 1.25, 0.0001, 5, {{"failures", 1, true}}});
  for (int t = 0; t < 300; ++t) judge.book(second(t, {100, 900, t % 10 == 0 ? 1u : 0u, 1}));
  CHECK(judge.evidence(0).total().canary_attempts > judge.exposure_wanted());
  Judge rare({0.01, 1.25, 1e-6, 5, {{"failures", 1, true}}});
  for (int t = 0; t < 300; ++t) rare.book(second(t, {100, 900, t % 10 == 0 ? 1u : 0u, 1}));
  CHECK(rare.evidence(0).total().canary_attempts < rare.exposure_wanted());
  CHECK(rare.exposed());
}

TEST_CASE("a worse canary is found, and the text has the numbers") {
  Judge judge;
  Verdict verdict;
  for (int t = 0; t < 100 && verdict.finding != Finding::worse; ++t) {
    judge.book(second(t, {100, 900, 5, 1}));
    verdict = judge.verdict();
  }
  REQUIRE(verdict.finding == Finding::worse);
  const auto total = judge.evidence(0).total();
  CHECK(verdict.text.find("canary " + std::to_string(total.canary_bad) + " bad of " + std::to_string(total.canary_attempts)) != std::string::npos);
  CHECK(verdict.text.find("of 100 : 1") != std::string::npos);
  CHECK(judge.explain().front() == verdict.text);
}

TEST_CASE("evidence above suspicion but below the alarm holds") {
  Judge judge;
  judge.book(second(0, {700, 6300, 0, 0}));
  for (int t = 1; t < 3; ++t) judge.book(second(t, {100, 900, 1, 0}));
  const double e = std::exp(judge.evidence(0).log_e());
  REQUIRE((e > 5 && e < 100));
  CHECK(judge.verdict().finding == Finding::suspicious);
}

TEST_CASE("one bad replica is ejected, not the version") {
  Verdict verdict;
  auto judge = judge_of_two_replicas(4, 0, 60, verdict);
  REQUIRE(verdict.finding == Finding::eject_replica);
  CHECK(verdict.replica == "a");
  CHECK(judge.ejected() == "a");
  for (int t = 60; t < 200; ++t) judge.book(second(t, {100, 900, 4, 1}, {{"a", 50, 4}, {"b", 50, 0}}));
  CHECK(judge.verdict().finding == Finding::clear);   // a's events no longer count
  for (int t = 200; t < 400; ++t) judge.book(second(t, {50, 900, 2, 1}, {{"b", 50, 2}}));
  CHECK(judge.verdict().finding == Finding::worse);   // a second bad replica is the version
}

TEST_CASE("two bad replicas are the version") {
  Verdict verdict;
  const auto judge = judge_of_two_replicas(2, 2, 60, verdict);
  CHECK(verdict.finding == Finding::worse);
}

TEST_CASE("the earliest stage of a session with suspicious evidence is named as the cause") {
  JudgeOptions options;
  options.signals = default_signals();
  Judge judge(options);
  constexpr std::size_t first_byte = 3, too_long = 5;
  Verdict verdict;
  for (int t = 0; t < 60 && verdict.finding != Finding::worse; ++t) {   // the longer sessions have the stronger evidence
    judge.book({t, 0.1, {{first_byte, {100, 900, 2, 3}, {}}, {too_long, {100, 900, 4, 3}, {}}}});
    verdict = judge.verdict();
  }
  REQUIRE(verdict.finding == Finding::worse);
  CHECK(verdict.signal == too_long);
  CHECK(verdict.text.find("first_byte_p99: canary") == 0);
  CHECK(verdict.text.find("it shows in session_too_long: canary") != std::string::npos);
}

TEST_CASE("no healthy canary replica is a hard stop") {
  Judge judge;
  Health health;
  health.canary_healthy = 0;
  CHECK(judge.verdict(health).finding == Finding::hard_stop);
  health.canary_healthy = 1;
  CHECK(judge.verdict(health).finding == Finding::starving);
}

TEST_CASE("connects that fail in a row are a hard stop only from several clients and with stable clean") {
  Judge judge;
  CHECK(judge.verdict({std::nullopt, 5, 3, true}).finding == Finding::hard_stop);
  CHECK(judge.verdict({std::nullopt, 4, 3, true}).finding != Finding::hard_stop);
  CHECK(judge.verdict({std::nullopt, 5, 2, true}).finding != Finding::hard_stop);
  CHECK(judge.verdict({std::nullopt, 5, 3, false}).finding != Finding::hard_stop);
}

TEST_CASE("the signals share alpha") {
  double parts = 0;
  for (const auto& signal : default_signals()) parts += signal.alpha_part;
  CHECK(parts == Approx(1));
  Judge judge({0.01, 1.25, 0.005, 5, {{"one", 0.5, true}, {"two", 0.5, true}}});
  CHECK(std::exp(judge.evidence(0).log_alarm()) == Approx(200));
}

TEST_CASE("a judge that was saved and restored gives the same verdicts") {
  Verdict verdict;
  auto judge = judge_of_two_replicas(1, 0, 5, verdict);
  Judge again;
  again.restore(judge.save());
  for (int t = 5; t < 60; ++t) {
    for (auto* each : {&judge, &again}) each->book(second(t, {100, 900, 4, 1}, {{"a", 50, 4}, {"b", 50, 0}}));
    const auto one = judge.verdict(), other = again.verdict();
    REQUIRE(one.finding == other.finding);
    REQUIRE(one.replica == other.replica);
  }
  CHECK(again.ejected() == "a");
}

TEST_CASE("a raised r0 asks for more evidence") {
  Judge strict, lenient;
  lenient.tolerate(3);
  for (auto* each : {&strict, &lenient})
    for (int t = 0; t < 30; ++t) each->book(second(t, {100, 900, 1, 4}));
  CHECK(lenient.evidence(0).log_e() < strict.evidence(0).log_e());
}
