// What this time of the day or of the week usually brings: the peak of each of its buckets, averaged over the periods with weight 0.35
// for the newest, and how today compares (the last minutes against theirs, within half and double). A week is asked once it is known and
// has been closer to the truth lately than a day.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

class Profile {   // of one period
 public:
  Profile(std::chrono::minutes period, std::chrono::minutes bucket);
  void add(WallTime now, double load);
  // The largest load expected from now to now + ahead (two hours at most); nullopt while this part of the period, or the last ten
  // minutes, are not known.
  std::optional<double> peak(WallTime now, Duration ahead) const;
  std::optional<double> error() const { return judged_ ? std::optional(error_) : std::nullopt; }   // mean of |log(actual / expected)| of about a day
  template <class V> void visit(V& v) { v("usual", usual_); v("past", past_); v("bucket", bucket_); v("peak", peak_); v("error", error_); v("judged", judged_); }
  bool sound() const { return usual_.size() == count_; }   // of a restored state

 private:
  struct Past {
    double actual = 0, expected = 0;
    template <class V> void visit(V& v) { v("actual", actual); v("expected", expected); }
  };
  std::int64_t bucket_of(WallTime t) const;
  double& usual_of(std::int64_t bucket) { return usual_[static_cast<std::size_t>(bucket % static_cast<std::int64_t>(count_))]; }
  double usual_of(std::int64_t bucket) const { return usual_[static_cast<std::size_t>(bucket % static_cast<std::int64_t>(count_))]; }
  std::optional<double> level() const;
  void close_bucket(std::int64_t next);
  void judge(double expected);

  std::chrono::minutes width_;
  std::size_t count_, level_buckets_;
  std::vector<double> usual_;      // 0: not known
  std::deque<Past> past_;          // the last minutes, before they changed the profile
  std::int64_t bucket_ = -1;       // the running one, since 1970
  double peak_ = 0, error_ = 0;
  bool judged_ = false;
};

class Seasonal {
 public:
  void add(WallTime now, double load);
  std::optional<double> peak(WallTime now, Duration ahead) const;   // as Profile's, of the better one
  bool sound() const { return day_.sound() && week_.sound(); }
  template <class V> void visit(V& v) { v("day", day_); v("week", week_); }

 private:
  Profile day_{std::chrono::hours(24), std::chrono::minutes(1)}, week_{std::chrono::hours(7 * 24), std::chrono::minutes(5)};
};

}  // namespace nlb::scale
