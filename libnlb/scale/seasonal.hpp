// What this time of day usually brings: the peak of each minute of the day, averaged over days with weight 0.35 for the newest, and
// how today compares (the last ten minutes against theirs, within half and double).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

class Seasonal {
 public:
  void add(WallTime now, double load);
  // The largest load expected from now to now + ahead; nullopt while a day, or the last ten minutes, are not known.
  std::optional<double> peak(WallTime now, Duration ahead) const;
  template <class V> void visit(V& v) { v("profile", profile_); v("past", past_); v("minute", minute_); v("peak", peak_); }

 private:
  static constexpr std::size_t minutes_of_day = 1440;
  struct Past {
    double actual = 0, expected = 0;
    template <class V> void visit(V& v) { v("actual", actual); v("expected", expected); }
  };
  std::optional<double> level() const;
  void close_minute(std::int64_t next);

  std::array<double, minutes_of_day> profile_{};   // 0: not known
  std::deque<Past> past_;                          // the last ten minutes, before they changed the profile
  std::int64_t minute_ = -1;                       // the running one, since 1970
  double peak_ = 0;
};

}  // namespace nlb::scale
