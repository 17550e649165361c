// Measurements that don't come by the bus: pages of Prometheus exporters, read by a thread of its own, and JSON lines on stdin.
//
//   {"service": "web", "version": "v1", "rate": 120, "connections": 80, "cpu": 310, "memory": 150}     totals over all replicas
//   {"service": "web", "module": "web-1", "ready": true, "sessions": 3}    a module; "address" and "version" too; "gone": true: it left
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "libnlb/daemon/loop.hpp"
#include "tools/nlb-scale/controller.hpp"

namespace nlb::tool {

class Exporters {              // answers come on the loop; a page that doesn't answer within its deadline is only silent
 public:
  Exporters(std::vector<config::ScaleExporter> exporters, Duration interval, daemon::ControlLoop& loop, std::function<Controller*()> controller);
  ~Exporters();

 private:
  void run();
  void read(const config::ScaleExporter& exporter);
  std::vector<config::ScaleExporter> exporters_;
  Duration interval_;
  daemon::ControlLoop& loop_;
  std::function<Controller*()> controller_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

// One line to the controller; bad_input says what is wrong with it.
Result<> take_line(Controller& controller, const std::string& line);

class LinesIn {                // a descriptor's lines, until its end; the loop's thread
 public:
  LinesIn(int descriptor, daemon::ControlLoop& loop, std::function<Controller*()> controller);
  ~LinesIn();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::tool
