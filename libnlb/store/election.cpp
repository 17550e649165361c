#include "libnlb/store/election.hpp"

namespace nlb::store {

Election::Election(Store& store, ElectionOptions options, Clock clock)
    : store_(store), options_(std::move(options)), clock_(std::move(clock)) {}

Election::Notice Election::tick() {
  const auto now = clock_();                  // before anything is sent: what we believe ends no later than what the store believes
  return token_ != 0 ? beat(now) : campaign(now);
}

bool Election::leads() const { return token_ != 0 && clock_() < leased_until_; }

Condition Election::fence() const { return created_at(options_.key, token_); }

Result<> Election::acquire(MonoTime now) {
  if (lease_.id != 0 && now < leased_until_) return {};   // of an earlier campaign that lost
  lease_ = {};
  auto granted = store_.grant(options_.ttl, AfterRestart::ended);
  if (!granted) return tl::unexpected(granted.error());
  lease_ = *granted;
  leased_until_ = now + lease_.ttl;
  return {};
}

Election::Notice Election::campaign(MonoTime now) {
  const auto holder = leader();
  error_ = holder ? std::nullopt : std::optional(holder.error());
  if (!holder) return Notice::none;
  if (*holder && (lease_.id == 0 || (*holder)->lease != lease_.id)) return Notice::none;
  if (*holder) {                              // ours: the answer to our put was lost
    token_ = (*holder)->created;
    return beat(now) == Notice::none && token_ != 0 ? Notice::won : Notice::none;
  }
  if (auto got = acquire(now); !got) {
    error_ = got.error();
    return Notice::none;
  }
  const auto put = store_.commit({{absent(options_.key)}, {put_of(options_.key, options_.name, lease_.id)}, {}});
  if (put) {
    token_ = put->revision;
    return Notice::won;
  }
  if (put.error().kind == ErrorKind::not_found) lease_ = {};
  if (put.error().kind != ErrorKind::conflict) error_ = put.error();
  return Notice::none;
}

Election::Notice Election::beat(MonoTime now) {
  const auto kept = store_.keep_alive(lease_.id);
  error_ = kept ? std::nullopt : std::optional(kept.error());
  if (kept) leased_until_ = now + kept->ttl;
  const bool gone = !kept && kept.error().kind == ErrorKind::not_found;
  return gone || clock_() >= leased_until_ ? lose() : Notice::none;
}

Election::Notice Election::lose() {
  token_ = 0;
  lease_ = {};
  return Notice::lost;
}

Result<std::optional<Entry>> Election::leader() { return store_.get(options_.key); }

Result<> Election::resign() {
  if (token_ == 0) return {};
  const auto lease = lease_.id;
  lose();
  return store_.revoke(lease);
}

}  // namespace nlb::store
