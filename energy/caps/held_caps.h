// Power caps for a limited time: what devices were set to before is kept in a record of this node,
// so that they are set back at the end, also where the process that has capped them is killed.
//
// A record is a file of a folder that the next boot clears, as it clears the settings. The process
// that caps holds a lock on it. A second process waits for that lock (lmtrain restore-caps), and
// sets the devices back when it gets it; where that one is killed, too, any later run on the node
// does.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "energy/caps/power_knobs.h"

namespace lmtrain {

// Where the records of this node are.
inline constexpr const char* kCapRecords = "/dev/shm/lmtrain-caps";

class HeldCaps {
 public:
  struct Taken {
    std::unique_ptr<HeldCaps> caps;  // null where the device cannot be capped
    std::string why_not;
  };
  // Sets the device back if a process has died that had capped it, then looks for its knobs with
  // `find` and holds them. `restorer` is the program that is started to wait for the end of this
  // process, as `restorer restore-caps --when-released RECORD`; none is if it is empty. `knobs`
  // outlives the result.
  static Taken take(PowerKnobs& knobs, const std::filesystem::path& records,
                    const std::string& device, const std::function<FoundKnobs()>& find,
                    const std::filesystem::path& restorer);
  // Sets the device back.
  ~HeldCaps();
  HeldCaps(const HeldCaps&) = delete;
  HeldCaps& operator=(const HeldCaps&) = delete;

  // Caps the device at so much of its former setting, 0 to 1, but no lower than it may be set to.
  // Returns why it failed, or "".
  std::string set_share(double share);

  double least_share() const { return found_.least_share(); }
  std::string text(double share) const { return found_.text(share); }

 private:
  HeldCaps(PowerKnobs& knobs, FoundKnobs found, std::filesystem::path record, int descriptor);

  PowerKnobs& knobs_;
  FoundKnobs found_;
  std::filesystem::path record_;
  int descriptor_;
  pid_t restorer_ = -1;
  bool is_changed_ = false;
};

// What became of a record.
struct RestoredCaps {
  enum class State { kRestored, kHeld, kFailed };
  State state = State::kRestored;
  std::string text;  // a sentence
};

// Of all records of a folder: sets back what holders that have ended had capped.
std::vector<RestoredCaps> restore_left_caps(PowerKnobs& knobs,
                                            const std::filesystem::path& records);

// Waits for the end of a record's holder, then does the same. Nothing where the holder has set its
// devices back itself, or where there is no such record.
std::optional<RestoredCaps> restore_when_released(PowerKnobs& knobs,
                                                  const std::filesystem::path& record);

}  // namespace lmtrain
