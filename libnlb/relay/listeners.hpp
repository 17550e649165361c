// The addresses that a forwarder listens on, and their sockets: opened, taken over from another process, dealt out to the workers, retired.
// Each address has a number, its index, for the life of the process. Belongs to the control thread.
//
// A change is prepared first (sockets are opened, nothing else happens), and then committed or abandoned as a whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libnlb/config/config.hpp"
#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/descriptor.hpp"

namespace nlb::relay {

class Worker;

// A listening address with its sockets, from another process or for one (handover.hpp).
struct ListeningSockets {
  Endpoint address, bound;                    // as configured, and with the real port
  std::vector<daemon::Descriptor> sockets;    // one a worker, or one for all (unix)
};

struct Listening {
  Endpoint address;               // as configured
  Endpoint bound;                 // with the real port
  config::Listener options;
  bool live = false;
  std::string inherited_from{};   // the address by which another process had these sockets; empty: opened here
  std::vector<int> sockets{};     // the workers own them; valid while live
};

struct ListenerStatus { std::string name, address; bool live = true; };

class Listeners {
 public:
  // `hold`: no worker gets a socket before begin_accepting(). `alone`: no other process may have the same ports.
  Listeners(const std::vector<std::unique_ptr<Worker>>& workers, bool hold, bool alone) : workers_(workers), holding_(hold), alone_(alone) {}

  // Opens what is wanted and isn't open yet. `inherited` sockets take the place of new ones where an address is the same. Errors:
  // unavailable (a port, a name), config (too many addresses over the life of the process); then nothing has changed.
  Result<> prepare(const std::vector<config::Listener>& wanted, std::vector<ListeningSockets> inherited = {});
  void commit();                  // workers accept from what is new, and retire what isn't wanted any more
  void abandon();                 // everything as before prepare()

  // Ends accepting. Those whose configured address `elsewhere` names live on in another process that accepts from them.
  void retire_all(const std::vector<std::string>& elsewhere);

  // A takeover: duplicates of the sockets that listen; and, in a process that holds back, the start of accepting. A worker without a
  // socket of its own gets a new one, or shares the others' where none can be opened.
  std::vector<ListeningSockets> duplicate() const;
  void begin_accepting();
  std::vector<std::string> inherited_addresses() const;   // as the other process knows them

  const std::vector<Listening>& all() const { return all_; }   // by number; what isn't live any more keeps its place
  std::vector<ListenerStatus> status() const;

 private:
  Result<> open(Listening& listening, std::vector<ListeningSockets>& inherited) const;
  Result<std::vector<int>> open_sockets(Endpoint& where, int backlog) const;
  bool is_ours(std::uint16_t port) const;
  void deal(std::size_t number);
  void open_missing(Listening& listening);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  bool holding_, alone_;
  std::vector<Listening> all_;
  std::vector<Listening> before_;      // between prepare() and commit() or abandon()
  std::vector<std::size_t> fresh_;     // numbers whose sockets are new; the same
};

}  // namespace nlb::relay
