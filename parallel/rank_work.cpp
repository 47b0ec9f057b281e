#include "parallel/rank_work.h"

#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"

namespace lmtrain {

void end_job(const std::exception& error, const Launch& launch) {
  const Error own = as_error(error);
  // The log itself names every rank but 0.
  const bool is_first_of_many = launch.rank() == 0 && launch.size() > 1;
  log_error(cat(is_first_of_many ? "rank 0: " : "", own.what()));
  launch.abort(own.code());
}

}  // namespace lmtrain
