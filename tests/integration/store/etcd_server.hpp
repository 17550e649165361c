// Debian's etcd, started for a test: free ports of 127.0.0.1, a temporary folder, ended by its process id.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "libnlb/store/etcd.hpp"
#include "tests/integration/store/stores.hpp"

namespace nlb::store::test {

inline bool etcd_is_installed() { return ::access("/usr/bin/etcd", X_OK) == 0; }

inline int free_port() {
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(s, reinterpret_cast<sockaddr*>(&address), size) == 0);
  ::getsockname(s, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(s);
  return ntohs(address.sin_port);
}

class EtcdServer {
 public:
  explicit EtcdServer(std::vector<std::string> more = {}, std::string scheme = "http") : scheme_(std::move(scheme)), more_(std::move(more)) { start(); }
  ~EtcdServer() {
    if (pid_ > 0) kill();
  }
  std::string url() const { return scheme_ + "://127.0.0.1:" + std::to_string(port_); }
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // A stopped process has stopped on return: until every thread has taken the signal it may still answer.
  void signal(int number) {
    ::kill(pid_, number);
    if (number == SIGSTOP) ::waitpid(pid_, nullptr, WUNTRACED);
  }
  void start() {
    const auto peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    std::vector<std::string> words = {"/usr/bin/etcd", "--data-dir", folder_ / "data", "--listen-client-urls", url(), "--advertise-client-urls", url(),
                                      "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
                                      "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap"};
    words.insert(words.end(), more_.begin(), more_.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int log = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

 private:
  TempFolder folder_;
  std::string scheme_;
  std::vector<std::string> more_;
  int port_ = free_port(), peer_port_ = free_port();
  pid_t pid_ = -1;
};

inline std::unique_ptr<Store> connect(std::vector<std::string> endpoints, const std::string& prefix, Duration timeout = 5s) {
  EtcdOptions options;
  options.endpoints = std::move(endpoints);
  options.prefix = prefix;
  options.timeout = timeout;
  return open_etcd_store(options).value();
}

inline bool answers(Store& store) {              // waits until it does, at most 20 s
  for (const auto until = steady_now() + 20s; steady_now() < until;)
    if (store.get("ready")) return true;
  return false;
}

struct EtcdBench final : Bench {
  EtcdServer& server;
  std::unique_ptr<Store> made, second;
  EtcdBench(EtcdServer& at, const std::string& prefix)
      : server(at), made(connect({at.url()}, prefix)), second(connect({at.url()}, prefix)) {
    REQUIRE(answers(*made));
  }
  Store& store() override { return *made; }
  Store& other() override { return *second; }
  void restart() override {
    server.kill();
    server.start();
    REQUIRE(answers(*made));
  }
};

}  // namespace nlb::store::test
