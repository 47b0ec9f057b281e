#include "parallel/rank_work.h"

#include "parallel/as_error.h"

namespace lmtrain {

void end_job(const std::exception& error, Launch& launch) {
  const Error own = as_error(error);
  launch.fail(own);
  launch.abort(own.code());
}

}  // namespace lmtrain
