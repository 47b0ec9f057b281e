// An allocator for CPU tensors that keeps freed blocks and hands them out again, to requests of
// their size down to half of it. glibc returns large blocks to the kernel and pays for fresh zeroed
// pages at each step; docs/performance.md says what this allocator saves.
#pragma once

namespace lmtrain {

// Replaces the process's allocator of CPU tensors. Call once, before the first tensor is made.
void install_caching_allocator();

// Gives back to the system the blocks that no tensor uses.
void release_cached_blocks();

}  // namespace lmtrain
