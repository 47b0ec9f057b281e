#include "parallel/launcher_end.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr std::array<std::string_view, 6> kLaunchers = {"mpirun", "mpiexec", "orterun",
                                                        "orted",  "prterun", "prted"};

std::string name_of_process(pid_t process) {
  std::ifstream file(cat("/proc/", process, "/comm"));
  std::string name;
  std::getline(file, name);
  return name;
}

// From here to the end only calls that are safe in the child of a process with threads
// (signal-safety).

void sleep_for(double seconds) {
  timespec time = {
      static_cast<time_t>(seconds),
      static_cast<long>(1e9 * (seconds - static_cast<double>(static_cast<time_t>(seconds))))};
  while (nanosleep(&time, &time) != 0) continue;
}

// A descriptor of the process, not its number, which another could get.
int descriptor_of(pid_t process) { return static_cast<int>(syscall(SYS_pidfd_open, process, 0)); }
bool send(int descriptor, int signal) {
  return syscall(SYS_pidfd_send_signal, descriptor, signal, nullptr, 0) == 0;
}

[[noreturn]] void end_after(int launcher, double seconds) {
  constexpr double kLook = 0.1;
  setsid();  // mpirun kills the groups of the processes that it has started
  for (int other = 0; other < 4096; ++other) {
    if (other != launcher) close(other);  // mpirun waits for the ends of its pipes
  }
  for (double waited = 0; waited < seconds; waited += kLook) {
    if (!send(launcher, 0)) _exit(0);
    sleep_for(kLook);
  }
  for (const int signal : {SIGTERM, SIGTERM, SIGKILL}) {
    if (!send(launcher, signal)) break;
    sleep_for(0.5);
  }
  _exit(0);
}

}  // namespace

void end_launcher_later(double seconds) {
  const pid_t launcher = getppid();
  if (std::ranges::find(kLaunchers, name_of_process(launcher)) == kLaunchers.end()) return;
  const int descriptor = descriptor_of(launcher);
  if (descriptor < 0) return;  // gone, or a kernel before 5.3
  const pid_t child = fork();
  if (child != 0) return;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) std::signal(signal, SIG_IGN);
  end_after(descriptor, seconds);
}

}  // namespace lmtrain
