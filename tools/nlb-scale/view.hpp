// What the verbs print: tables and charts for people, one JSON object a line for pipes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/cli/live.hpp"
#include "nlb/v1/scale.pb.h"

namespace nlb::tool {

std::string status_text(const v1::ScaleStatus& status, bool lines, bool color);
std::string policies_text(const v1::GetPolicyReply& reply, bool lines, bool color);
std::string history_text(const v1::ScaleHistoryReply& reply, bool lines, bool color);
std::string explanation_text(const v1::ExplainScaleReply& reply, bool lines);
std::string forecast_text(const v1::Forecast& forecast, bool lines, bool color);

class Client;

class StatusView {             // `status --watch`: a bar, a load curve and the reason for each service, in place on a terminal
 public:
  StatusView(bool lines, bool color) : lines_(lines), color_(color) {}
  bool show(const v1::ScaleStatus& status, Client* client);   // false: stdout is gone

 private:
  std::string row(const v1::Replicas& r);
  void remember(const v1::Replicas& r);

  bool lines_, color_;
  std::optional<cli::LiveView> view_;
  std::map<std::string, std::vector<double>> loads_;          // by service/version, the newest last
  std::map<std::string, std::vector<double>> ahead_;          // by service: the forecast
};

}  // namespace nlb::tool
