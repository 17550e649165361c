// A module's life, lived for it by `nlb-registry register`: register, beat with its load, register again when the registry forgot us,
// and unregister at the end. With a command it is the command's parent, and ends with it. Blocking; one thread.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

#include "libnlb/cli/tool.hpp"
#include "libnlb/rpc/registry_client.hpp"

namespace nlb::registrar {

// Signals come by descriptor. They are blocked before gRPC starts its threads, which inherit that: a thread that had TERM open would take
// it, and the process would end without a word to the registry.
class SignalDescriptor {
 public:
  SignalDescriptor();
  ~SignalDescriptor();
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  int get() const { return descriptor_; }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
  int descriptor_ = -1;
};

struct LifeOptions {
  std::vector<std::string> command;      // empty: somebody else runs the module
  std::string load_file;
  std::uint32_t drain_timeout_ms = 0;    // for the sessions of a command that is to end; 0: they don't count
};

void print(const v1::RegisterModuleReply& reply, const cli::Common& common);

// Until a signal, the command's end, or the registry's wish. Exit: 0; of the command, its own code; 1: the registry wished that we stop.
Result<cli::ExitCode> live(const LifeOptions& options, const cli::Common& common, const SignalDescriptor& signals, rpc::RegistryClient& client,
                           const v1::Module& module);

}  // namespace nlb::registrar
