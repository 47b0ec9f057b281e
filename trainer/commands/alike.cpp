#include "trainer/commands/alike.h"

#include "base/build_info.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// By content, since two builds of one commit may differ too.
std::string own_binary() {
  const MappedFile file("/proc/self/exe");
  return cat("lmtrain ", version(), " (", commit(), ", ", build_description(), ", XXH3 ",
             hex16(hash_bytes(file.data(), file.size())), ")");
}

void require_same(const std::string& what, const std::string& mine, const std::string& remedy,
                  Launch& launch) {
  const std::vector<std::string> all = gather_texts(launch.world(), mine);
  const std::vector<std::string> hosts = gather_texts(launch.world(), launch.host());
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw CollectiveError(
        ExitCode::kConfig,
        cat("rank ", rank, " on ", hosts[rank], " has another ", what, " than rank 0 on ", hosts[0],
            ": ", all[rank], ", not ", all[0], "; ", remedy));
  }
}

}  // namespace

void require_same_program(Launch& launch) {
  if (launch.size() == 1) return;
  std::string binary;
  launch.together([&] { binary = own_binary(); });
  require_same("program", binary, "install one build on all hosts, or on a file system they share",
               launch);
}

void require_alike(const LoadedConfig& loaded, Launch& launch) {
  if (launch.size() == 1) return;
  require_same_program(launch);
  require_same(cat("config ", loaded.name),
               cat("XXH3 ", hex16(hash_text(print_config(loaded.config, ConfigText::kValues)))),
               "give all hosts the same file", launch);
}

}  // namespace lmtrain
