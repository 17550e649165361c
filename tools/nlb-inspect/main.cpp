// nlb-inspect: says what protocol captured or live bytes are.
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/bus_command.hpp"
#include "tools/nlb-inspect/bytes_command.hpp"
#include "tools/nlb-inspect/capture_command.hpp"
#include "tools/nlb-inspect/options.hpp"

int main(int argc, char** argv) {
  using namespace nlb;
  CLI::App app("What protocol captured or live bytes are", "nlb-inspect");
  inspect_tool::Options options;
  const auto commands = inspect_tool::declare(app, options);
  return cli::run(app, argc, argv, [&]() -> Result<cli::ExitCode> {
    if (commands.bytes->parsed()) return inspect_tool::run_bytes(options);
    if (commands.bus->parsed()) return inspect_tool::run_bus(options);
    return inspect_tool::run_capture(options);
  });
}
