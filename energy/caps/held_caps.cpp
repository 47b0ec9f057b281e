#include "energy/caps/held_caps.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_lock.h"
#include "base/log.h"
#include "base/system_file.h"
#include "base/text.h"
#include "energy/json_fields.h"

extern char** environ;

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct OpenedRecord {
  int descriptor = -1;
  std::string failure;
  uid_t owner = 0;
};

// Root sets back what others have capped (set_back says what of it), and other users their own
// alone: a record tells its reader what to set.
OpenedRecord open_record(const fs::path& path, int flags) {
  const int descriptor = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0644);
  if (descriptor < 0) return {-1, cat(path.string(), ": ", std::strerror(errno))};
  struct stat status {};
  const bool is_file = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const bool is_believed = status.st_uid == geteuid() || status.st_uid == 0 || geteuid() == 0;
  if (is_file && is_believed) return {descriptor, "", status.st_uid};
  close(descriptor);
  return {-1, cat(path.string(), is_file ? " is another user's file" : " is no file")};
}

// Whether the file is still at its path; its holder removes it when all is set back.
bool is_in_place(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat there {};
  return fstat(descriptor, &opened) == 0 && lstat(path.c_str(), &there) == 0 &&
         opened.st_ino == there.st_ino && opened.st_dev == there.st_dev;
}

std::string record_text(const std::vector<PowerKnob>& knobs) {
  json settings = json::object();
  for (const PowerKnob& knob : knobs) settings[knob.key] = knob.setting;
  return settings.dump() + "\n";
}

// Sets back what the record says, as far as its owner may set it. An empty or torn record is of a
// process that had capped nothing yet.
std::string set_back(PowerKnobs& knobs, const fs::path& record, uid_t owner) {
  const std::string text = read_system_text(record).text.value_or("");
  const json settings = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!settings.is_object()) return "";
  std::string failure;
  for (const auto& [key, setting] : settings.items()) {
    std::string why;
    if (!setting.is_number_unsigned()) {
      why = cat("\"", key, "\" has no whole number");
    } else if (!knobs.is_open_to(owner, key)) {
      why = cat("its owner (user ", owner, ") may not set ", key);
    } else {
      why = knobs.set(key, setting.get<uint64_t>());
    }
    if (!why.empty()) failure = why;
  }
  return failure;
}

// Of a record whose lock this process has got.
RestoredCaps restore(PowerKnobs& knobs, const fs::path& record, uid_t owner) {
  const std::string failure = set_back(knobs, record, owner);
  if (!failure.empty()) {
    return {RestoredCaps::State::kFailed,
            cat(record.string(),
                ": what a run that was killed had capped could not be set back: ", failure)};
  }
  unlink(record.c_str());
  return {RestoredCaps::State::kRestored,
          cat(record.filename().string(), ": set back what a run that was killed had capped")};
}

// Whoever waits for the end of a process that is being set back by another has it in a moment.
int take_lock_soon(int descriptor) {
  constexpr int kTries = 40;
  int error = EWOULDBLOCK;
  for (int i = 0; i < kTries && error == EWOULDBLOCK; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    error = take_file_lock(descriptor, LOCK_EX | LOCK_NB);
  }
  return error;
}

bool write_record(int descriptor, const std::string& text) {
  return ftruncate(descriptor, 0) == 0 &&
         pwrite(descriptor, text.data(), text.size(), 0) == std::ssize(text);
}

// In a session of its own, since launchers kill the whole group of a rank. It must not hold what
// this process has open: a launcher waits for the end of its output.
pid_t start_restorer(const fs::path& program, const fs::path& record) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (const int stream : {0, 1, 2})
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<std::string> words = {"lmtrain", "restore-caps", "--when-released", record.string()};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    log_warn(cat("nothing watches over the power caps of this run, should it be killed: ",
                 program.string(), ": ", std::strerror(error)));
    return -1;
  }
  return child;
}

std::string make_folder(const fs::path& records) {
  if (mkdir(records.c_str(), 0700) == 0) {
    // Of all users, as /tmp.
    return chmod(records.c_str(), 01777) == 0 ? "" : std::strerror(errno);
  }
  struct stat status {};
  const bool is_there = lstat(records.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  return is_there ? "" : std::strerror(errno);
}

}  // namespace

HeldCaps::Taken HeldCaps::take(PowerKnobs& knobs, const fs::path& records,
                               const std::string& device, const std::function<FoundKnobs()>& find,
                               const fs::path& restorer) {
  const std::string no_folder = make_folder(records);
  if (!no_folder.empty()) return {nullptr, cat(records.string(), ": ", no_folder)};
  const fs::path record = records / device;
  constexpr int kTries = 5;  // the file may be removed before it is locked
  for (int i = 0; i < kTries; ++i) {
    const OpenedRecord opened = open_record(record, O_CREAT);
    if (opened.descriptor < 0) return {nullptr, opened.failure};
    const int error = take_lock_soon(opened.descriptor);
    if (error != 0) {
      close(opened.descriptor);
      return {nullptr, error == EWOULDBLOCK ? cat("another job caps it (", record.string(), ")")
                                            : cat(record.string(), ": ", std::strerror(error))};
    }
    if (!is_in_place(opened.descriptor, record)) {
      close(opened.descriptor);
      continue;
    }
    const std::string left = set_back(knobs, record, opened.owner);
    FoundKnobs found = left.empty() ? find() : FoundKnobs{.knobs = {}, .why_not = left};
    if (!found.why_not.empty()) {
      // What could not be set back stays on record.
      if (left.empty()) unlink(record.c_str());
      close(opened.descriptor);
      return {nullptr, found.why_not};
    }
    if (!write_record(opened.descriptor, record_text(found.knobs))) {
      const std::string why = cat(record.string(), ": ", std::strerror(errno));
      unlink(record.c_str());
      close(opened.descriptor);
      return {nullptr, why};
    }
    std::unique_ptr<HeldCaps> caps(
        new HeldCaps(knobs, std::move(found), record, opened.descriptor));
    if (!restorer.empty()) caps->restorer_ = start_restorer(restorer, record);
    return {std::move(caps), ""};
  }
  return {nullptr, cat(record.string(), " is removed again and again")};
}

HeldCaps::HeldCaps(PowerKnobs& knobs, FoundKnobs found, fs::path record, int descriptor)
    : knobs_(knobs),
      found_(std::move(found)),
      record_(std::move(record)),
      descriptor_(descriptor) {}

HeldCaps::~HeldCaps() {
  const std::string failure = is_changed_ ? set_share(1.0) : "";
  if (failure.empty()) {
    unlink(record_.c_str());
  } else {
    log_warn(cat("the power cap could not be set back: ", failure));
  }
  close(descriptor_);  // the restorer gets the lock, and ends
  if (restorer_ > 0) {
    while (waitpid(restorer_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
}

std::string HeldCaps::set_share(double share) {
  is_changed_ = true;
  std::string failure;
  for (const PowerKnob& knob : found_.knobs) {
    const double wanted = std::round(share * static_cast<double>(knob.setting));
    const uint64_t setting = std::max(knob.lowest, static_cast<uint64_t>(wanted));
    const std::string why = knobs_.set(knob.key, std::min(setting, knob.setting));
    if (!why.empty()) failure = why;
  }
  return failure;
}

std::vector<RestoredCaps> restore_left_caps(PowerKnobs& knobs, const fs::path& records) {
  using enum RestoredCaps::State;
  std::vector<RestoredCaps> all;
  for (const fs::path& record : sorted_entries(records)) {
    const OpenedRecord opened = open_record(record, 0);
    if (opened.descriptor < 0) {
      all.push_back({kFailed, opened.failure});
      continue;
    }
    if (take_file_lock(opened.descriptor, LOCK_EX | LOCK_NB) != 0) {
      all.push_back({kHeld, cat(record.filename().string(), ": a run that is under way caps it")});
    } else if (is_in_place(opened.descriptor, record)) {
      all.push_back(restore(knobs, record, opened.owner));
    }
    close(opened.descriptor);
  }
  return all;
}

std::optional<RestoredCaps> restore_when_released(PowerKnobs& knobs, const fs::path& record) {
  const OpenedRecord opened = open_record(record, 0);
  if (opened.descriptor < 0) return std::nullopt;
  std::optional<RestoredCaps> restored;
  if (take_file_lock(opened.descriptor, LOCK_EX) == 0 && is_in_place(opened.descriptor, record))
    restored = restore(knobs, record, opened.owner);
  close(opened.descriptor);
  return restored;
}

}  // namespace lmtrain
