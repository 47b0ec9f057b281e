// The names of the mesh's axes (parallel/mesh.h). Pipeline and context will follow.
#pragma once

namespace lmtrain {

enum class MeshAxis { kData, kTensor };

}  // namespace lmtrain
