#include "trainer/commands/version.h"

#include <hdf5.h>

#include "base/build_info.h"
#include "base/text.h"
#include "parallel/launch.h"

namespace lmtrain {

std::string version_text() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return cat("lmtrain ", version(), " (", commit(), ")\n", build_description(), "\n",
             Launch::library_version(), "\nHDF5 ", major, ".", minor, ".", release, "\n");
}

}  // namespace lmtrain
