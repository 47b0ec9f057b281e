// An allocator for CPU tensors that keeps freed blocks and hands them out again. glibc returns
// large blocks to the kernel and pays for fresh zeroed pages at each step; see docs/performance.md
// for what it saves.
#pragma once

namespace lmtrain {

// Replaces the process's allocator of CPU tensors. Call once, before the first tensor is made.
void install_caching_allocator();

// Gives the blocks that no tensor holds back to the system.
void release_cached_blocks();

}  // namespace lmtrain
