#include "tools/nlb-deploy/foreground.hpp"

#include <filesystem>
#include <thread>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/deploy/engine.hpp"
#include "libnlb/store/open.hpp"

namespace nlb::deploy {

Result<cli::ExitCode> in_foreground(const config::Config& config, const std::function<Result<cli::ExitCode>()>& work) {
  auto quiet = config.log;
  if (quiet.level == "info") quiet.level = "warn";   // the view belongs to the rollout
  if (auto logging = daemon::log::set_up("nlb-deploy", quiet); !logging) return tl::unexpected(logging.error());
  const auto places = cli::places_of("deploy");
  daemon::ControlLoop loop;
  auto engine = Engine::start(config, {places.state + "/deploy", places.runtime, {}}, loop);
  if (!engine) return tl::unexpected(engine.error());
  Result<cli::ExitCode> answer = cli::ExitCode::internal;
  std::thread worker([&] {
    answer = work();
    loop.stop();
  });
  loop.run();
  worker.join();
  (*engine)->stop();
  return answer;
}

Result<StoredState> read_store(const config::Config& config) {
  if (config.store.etcd_endpoints.empty() && !std::filesystem::exists(config.store.sqlite))
    return fail(ErrorKind::unavailable, "no controller answers, and there is no store at " + config.store.sqlite + ": start `nlb-deploy serve`");
  auto store = store::open_store(config.store, "deploy", config.security.tls);
  if (!store) return tl::unexpected(store.error());
  auto controller = Controller::read(**store, std::chrono::steady_clock::now());
  if (!controller) return tl::unexpected(controller.error());
  return StoredState{std::move(*store), std::move(*controller)};
}

}  // namespace nlb::deploy
