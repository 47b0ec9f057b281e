// Checkpoints between layouts and beside training, at 1, 2 and 4 ranks.
#include <limits>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "tests/mpi/mpi_main.h"
#include "tests/mpi/sharded_model.h"
#include "tests/temporary_folder.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/checkpoint/save.h"

namespace lmtrain {
namespace {

// Defect: initial weights or a saved tensor depend on the layout, a shard returns to the wrong
// place, padding is saved, or a late gather of the initial weights overwrites the loaded ones.
TEST(LayoutCheckpoint, LoadsInEveryOtherLayout) {
  const std::vector<Layout> layouts = all_layouts();
  for (const char* kind : {"gpt2", "llama", "bert"}) {
    TemporaryFolder folder;
    const std::filesystem::path shared =
        gather_texts(mpi_launch().world(), folder.path().string())[0];
    const ModelConfig config = tiny(kind);
    at::Tensor first;
    for (size_t i = 0; i < layouts.size(); ++i) {
      Sharded saved(config, layouts[i], 3);
      const at::Tensor state = saved.state();
      if (i == 0) first = state;
      EXPECT_TRUE(at::equal(state, first)) << kind << " layout " << i;
      CheckpointState facts;
      facts.step = static_cast<int64_t>(i) + 1;
      facts.num_tokens = config.vocab_size;
      ASSERT_EQ(save_checkpoint(shared, saved.store(), saved.mesh().tensor(), facts, "{}",
                                mpi_launch().world()),
                "");
      const std::filesystem::path path = checkpoint_path(shared, facts.step);
      const Manifest manifest = read_manifest(path);
      for (size_t j = 0; j < layouts.size(); ++j) {
        Sharded loaded(config, layouts[j], 4);
        EXPECT_FALSE(at::equal(loaded.state(), state));
        load_tensors(path, manifest, loaded.store(), /*with_optimizer=*/true);
        loaded.store().refresh_compute();
        EXPECT_TRUE(at::equal(loaded.state(), state)) << kind << " " << i << " into " << j;
      }
      mpi_launch().world().barrier();
    }
  }
}

class SavesBesideTraining : public testing::Test {
 protected:
  CheckpointSaver saver_of(const Layout& layout, double share_of_core = 1.0) const {
    CheckpointSaver::Options options;
    options.tensor_size = layout.tensor;
    options.tokenizer_json = "{}";
    options.file_bytes = 1 << 10;  // several files
    options.share_of_core = share_of_core;
    return {shared_, options, mpi_launch()};
  }
  static CheckpointState at_step(int64_t step) {
    CheckpointState facts;
    facts.step = step;
    facts.num_tokens = 61;
    return facts;
  }
  static void train(Sharded& model) {
    for (const auto& unit : model.store().units()) {
      unit->master().mul_(3).add_(1);
      for (const StateBuffer& state : unit->state()) state.shard.add_(5);
    }
  }
  std::map<std::string, std::string> hashes_of(int64_t step) const {
    std::map<std::string, std::string> hashes;
    for (const Manifest::File& file : read_manifest(checkpoint_path(shared_, step)).files)
      hashes[file.name] = file.xxh3;
    return hashes;
  }

  TemporaryFolder folder_;
  const std::filesystem::path shared_ =
      gather_texts(mpi_launch().world(), folder_.path().string())[0];
};

// Defect: a save beside training holds what training made of the weights meanwhile, or a rank's
// part is missing, of another rank or at another place than in a save that training waits for.
TEST_F(SavesBesideTraining, HoldWhatWasCopied) {
  int64_t step = 0;
  for (const Layout& layout : all_layouts()) {
    Sharded model(tiny("gpt2"), layout, 3);
    SaveOptions options;
    options.file_bytes = 1 << 10;
    const SaveResult waited = save_tensors(
        shared_, tensors_of(model.store(), model.mesh().tensor(), mpi_launch().world()),
        at_step(++step), "{}", options, mpi_launch().world());
    ASSERT_FALSE(waited.error) << waited.error->what();
    CheckpointSaver saver = saver_of(layout, 0.5);
    saver.start(model.store(), model.mesh().tensor(), at_step(++step));
    train(model);
    const std::optional<SaveTimes> times = saver.finish(/*must=*/true);
    ASSERT_TRUE(times);
    EXPECT_GT(times->persist_seconds, 0);
    EXPECT_EQ(hashes_of(step), hashes_of(step - 1)) << "layout " << step / 2;
    EXPECT_GT(hashes_of(step).size(), 3U);
  }
}

// Defect: one save overtakes or mixes with the next one.
TEST_F(SavesBesideTraining, FollowEachOther) {
  Sharded model(tiny("gpt2"), {}, 3);
  CheckpointSaver saver = saver_of({});
  std::vector<std::map<std::string, std::string>> hashes;
  for (int64_t step = 1; step <= 5; ++step) {
    saver.start(model.store(), model.mesh().tensor(), at_step(step));
    train(model);
    ASSERT_FALSE(saver.finish(/*must=*/true)->failure);
    hashes.push_back(hashes_of(step));
    for (size_t earlier = 0; earlier + 1 < hashes.size(); ++earlier)
      EXPECT_NE(hashes[earlier], hashes.back());
  }
}

// Defect: a save that fails on a thread of its own is not heard of, or ends the run at once.
TEST_F(SavesBesideTraining, ThatFailAreHeardOf) {
  Sharded model(tiny("gpt2"), {}, 3);
  const std::filesystem::path in_the_way = checkpoint_path(shared_, 1);
  if (mpi_launch().rank() == 0) write_file_durably(in_the_way.parent_path() / "away", "");
  if (mpi_launch().rank() == 0) std::filesystem::create_symlink("away", in_the_way);
  CheckpointSaver saver = saver_of({});
  const auto fails = [&](bool must) {
    saver.start(model.store(), model.mesh().tensor(), at_step(1));
    return saver.finish(must)->failure.has_value();
  };
  EXPECT_TRUE(fails(false));
  EXPECT_TRUE(fails(false));
  EXPECT_THROW(fails(false), CollectiveError);  // the third in a row
  saver.start(model.store(), model.mesh().tensor(), at_step(2));
  EXPECT_FALSE(saver.finish(true)->failure);
  EXPECT_TRUE(fails(false));
  EXPECT_THROW(fails(true), CollectiveError);
}

// Defect: weights that are not finite become a checkpoint, on the rank that has them or elsewhere.
TEST_F(SavesBesideTraining, RefuseWeightsThatAreNotFinite) {
  Sharded model(tiny("gpt2"), {1, false, 1}, 3);
  if (mpi_launch().rank() == 0)  // the others' shards of so small a model are padding
    model.store().units()[1]->master()[0] = std::numeric_limits<float>::infinity();
  CheckpointSaver saver = saver_of({1, false, 1});
  saver.start(model.store(), model.mesh().tensor(), at_step(1));
  try {
    saver.finish(false);
    FAIL() << "it was saved";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::kNumeric) << error.what();
    EXPECT_NE(std::string(error.what()).find("not finite after step 1"), std::string::npos);
  }
  mpi_launch().world().barrier();
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(shared_, 1)));
}

// Defect: the copy in memory changes before it is written (failing memory, a buffer that is used
// again), and the checkpoint holds what never was.
TEST_F(SavesBesideTraining, ChangedCopiesAreFound) {
  Sharded model(tiny("gpt2"), {1, false, 1}, 3);
  Mesh mesh(mpi_launch().world(), mpi_launch().world(), 1);
  StoreSnapshot snapshot(model.store(), owners_of_tensors(model.store(), mpi_launch().size()),
                         mpi_launch().rank(), 1);
  at::Tensor copy = snapshot.copies()[0];
  copy.view(at::kInt)[0].bitwise_xor_(1 << 7);
  Pace pace(1.0);
  EXPECT_THROW(snapshot.for_each(mesh, pace, [](const auto&...) {}), IoError);
}

}  // namespace
}  // namespace lmtrain
