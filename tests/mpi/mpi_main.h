// The job that the MPI tests run in.
#pragma once

#include "parallel/launch.h"

namespace lmtrain {

Launch& mpi_launch();

}  // namespace lmtrain
