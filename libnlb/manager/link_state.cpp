#include "libnlb/manager/link_state.hpp"

#include <algorithm>

namespace nlb::manager {

namespace {

std::string text_of(const Answer& answer) {
  if (answer.status == 0) return answer.error;
  const auto code = "it answered " + std::to_string(answer.status);
  if (answer.status == 401 || answer.status == 403) return code + ": check manager.api_key_file, or NLB_MANAGER_API_KEY";
  if (answer.status == 404 || answer.status == 410) return code + ": it doesn't know this balancer, or manager.url is wrong";
  return code;
}

}  // namespace

void LinkState::answered(const Answer& answer, MonoTime now) {
  if (answer.status >= 200 && answer.status < 300) {
    registered_ = true;
    failures_ = 0;
    last_error_.clear();
    ++counters_.good;
    due_ = after(interval_, now);
    return;
  }
  const bool forgotten = registered_ && (answer.status == 404 || answer.status == 410);
  if (forgotten) registered_ = false;
  ++counters_.bad;
  last_error_ = text_of(answer);
  due_ = after(std::min(interval_, retry_least * (1 << std::min(failures_, 16u))), now);
  if (!forgotten) ++failures_;
}

}  // namespace nlb::manager
