#include "trainer/checkpoint/checkpoint.h"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/temporary_folder.h"
#include "trainer/checkpoint/manifest_json.h"
#include "trainer/checkpoint/save.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// AdamW's state of "table" alone, or of both tensors.
std::vector<std::string> of_table(const ParameterSpec& spec) {
  return spec.name == "table" ? std::vector<std::string>{"exp_avg"} : std::vector<std::string>{};
}
std::vector<std::string> of_both(const ParameterSpec&) { return {"exp_avg", "exp_avg_sq"}; }

// A store of two tensors, one padded, with numbers of its own everywhere.
struct Store {
  explicit Store(uint64_t seed, const StateNames& names_for = of_both)
      : store(at::kFloat, at::kCPU) {
    ParameterUnit& unit = store.add_unit("unit");
    ParameterSpec spec;
    spec.name = "table";
    spec.logical_shape = {5, 4};
    spec.padded_shape = {8, 4};
    store.add(unit, spec);
    spec.name = "weight";
    spec.logical_shape = spec.padded_shape = {3, 4};
    store.add(unit, spec);
    store.allocate(seed);
    store.allocate_state(names_for);
    for (const StateBuffer& state : unit.state()) {
      const at::Tensor weights = unit.elements(kWeights, state.begin, state.shard.numel());
      state.shard.copy_(state.name == "exp_avg" ? weights * 2 : weights.square());
    }
  }

  // Every buffer in one row.
  at::Tensor state() const {
    const ParameterUnit& unit = *store.units()[0];
    std::vector<at::Tensor> rows = {unit.master()};
    for (const StateBuffer& state : unit.state()) rows.push_back(state.shard);
    return at::cat(rows);
  }

  ParameterStore store;
};

class Checkpoints : public testing::Test {
 protected:
  fs::path save(int64_t step, uint64_t seed, const StateNames& names_for = of_both) {
    return save(step, Store(seed, names_for).store);
  }
  fs::path save_with_loss(int64_t step, std::optional<double> loss) {
    return save(step, Store(1, of_both).store, loss);
  }
  fs::path save(int64_t step, const ParameterStore& store,
                std::optional<double> validation_loss = std::nullopt) {
    CheckpointState state;
    state.validation_loss = validation_loss;
    state.step = step;
    state.tokens = 100 * step;
    state.num_tokens = 5;
    state.config = "run: {name: test}";
    EXPECT_EQ(save_checkpoint(folder_.path(), store, *alone_, state, "{}", *alone_), "");
    return checkpoint_path(folder_.path(), step);
  }
  fs::path newest(CheckpointCheck check = CheckpointCheck::kFilesAndValues) const {
    return newest_checkpoint(folder_.path(), check);
  }
  static fs::path newest(const fs::path& checkpoints) {
    return newest_checkpoint(checkpoints, CheckpointCheck::kFilesAndValues);
  }
  static void damage(const fs::path& checkpoint) {
    const fs::path file = checkpoint / "rank-00000-0.h5";
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file_durably(file, bytes);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Communicator> alone_ = make_single_communicator();
};

// Defect: a number of weights or moments, or of the state, that is not what was saved.
TEST_F(Checkpoints, GiveBackWhatWasSaved) {
  const fs::path path = save(7, 3);
  const Manifest manifest = read_manifest(path);
  EXPECT_EQ(manifest.state.step, 7);
  EXPECT_EQ(manifest.state.tokens, 700);
  Store loaded(4);
  load_tensors(path, manifest, loaded.store, /*with_optimizer=*/true);
  EXPECT_TRUE(at::equal(loaded.state(), Store(3).state()));
}

// Defect: a group or name that changed, so that checkpoints of before state had names no longer
// load. The fixture was written by the version before, of Store(3).
TEST_F(Checkpoints, OfTheTimeBeforeStateHadNamesLoad) {
  const fs::path path = LMTRAIN_SOURCE_DIR "/tests/fixtures/checkpoints/adamw";
  const Manifest manifest = read_manifest(path);
  verify_files(path, manifest);
  Store loaded(4);
  load_tensors(path, manifest, loaded.store, /*with_optimizer=*/true);
  EXPECT_TRUE(at::equal(loaded.state(), Store(3).state()));
}

// Defect: state that is stored for parameters which have none, or put into another's place; a
// checkpoint of another optimizer that is loaded in part.
TEST_F(Checkpoints, HoldTheStateThatTheOptimizerKeeps) {
  const fs::path path = save(7, 3, of_table);
  const Manifest manifest = read_manifest(path);
  std::vector<std::string> stored;
  for (const auto& tensor : manifest.tensors) stored.push_back(tensor.group + "/" + tensor.name);
  EXPECT_EQ(stored, (std::vector<std::string>{"weights/table", "weights/weight", "exp_avg/table"}));
  Store loaded(4, of_table);
  EXPECT_EQ(loaded.store.units()[0]->state()[0].shard.numel(), 64);
  load_tensors(path, manifest, loaded.store, /*with_optimizer=*/true);
  EXPECT_TRUE(at::equal(loaded.state(), Store(3, of_table).state()));
  Store other(4);
  EXPECT_NE(message_of<CheckpointError>([&] {
              load_tensors(path, manifest, other.store, /*with_optimizer=*/true);
            }).find("exp_avg/weight; it is of another model or optimizer"),
            std::string::npos);
}

// Defect: memory for a tensor of any size that a manifest with a good checksum names, before its
// file is looked at: "out of memory" rather than the checkpoint before.
TEST_F(Checkpoints, AShapeThatIsLargerThanItsFileIsRefused) {
  const fs::path good = save(7, 3);
  const fs::path bad = save(8, 4);
  Manifest manifest = read_manifest(bad);
  manifest.tensors[0].shape = {int64_t{1} << 33};
  write_file_durably(bad / "manifest.json", manifest_text(manifest));
  EXPECT_NE(message_of<CheckpointError>([&] { read_manifest(bad); }).find("larger than its file"),
            std::string::npos);
  EXPECT_EQ(newest(), good);
}

// Defect: fractions in places of whole numbers cut, and counted.
TEST_F(Checkpoints, FractionsOfWholeNumbersAreRefused) {
  auto manifest = nlohmann::json::parse(
      read_file(LMTRAIN_SOURCE_DIR "/tests/fixtures/checkpoints/adamw/manifest.json"));
  EXPECT_NO_THROW(parse_manifest(manifest.dump()));
  for (const char* place :
       {"/step", "/tokens", "/num_ranks", "/files/0/bytes", "/tensors/0/shape/0"}) {
    nlohmann::json changed = manifest;
    const nlohmann::json::json_pointer pointer(place);
    changed[pointer] = changed[pointer].get<double>() + 0.5;
    EXPECT_THROW(parse_manifest(changed.dump()), CheckpointError) << place;
  }
}

// Defect: a roll-back that goes to where the run was once stopped, so that the stop changes the
// numbers; or that keeps what lies behind the checkpoint that it goes to.
TEST_F(Checkpoints, ARollBackGoesToTheStepsOfTheInterval) {
  EXPECT_EQ(roll_back_to_interval(folder_.path(), 5), "");
  const fs::path stopped = save(3, 3);
  EXPECT_EQ(roll_back_to_interval(folder_.path(), 5), "");
  EXPECT_TRUE(fs::exists(stopped));
  const fs::path regular = save(5, 3);
  const fs::path damaged = save(10, 3);
  const fs::path late = save(12, 3);
  damage(damaged);
  EXPECT_EQ(roll_back_to_interval(folder_.path(), 5), regular);
  EXPECT_FALSE(fs::exists(late));
  EXPECT_TRUE(fs::exists(stopped));
  EXPECT_EQ(newest(), regular);
}

// Defect: a checkpoint that a resume passes over called whole by lmtrain checkpoint verify.
TEST_F(Checkpoints, AreVerifiedAsAResumeDoesIt) {
  const fs::path path = save(7, 3);
  EXPECT_EQ(verify_checkpoint(path, CheckpointCheck::kFilesAndValues).state.step, 7);
  Manifest manifest = read_manifest(path);
  manifest.state.config = "run: [";
  write_file_durably(path / "manifest.json", manifest_text(manifest));
  EXPECT_THROW(verify_checkpoint(path, CheckpointCheck::kFiles), CheckpointError);
  const fs::path other = save(8, 3);
  fs::rename(other, checkpoint_path(folder_.path(), 9));
  EXPECT_THROW(verify_checkpoint(checkpoint_path(folder_.path(), 9), CheckpointCheck::kFiles),
               CheckpointError);
}

// Defect: a damaged checkpoint that is taken, or one that stops the search for an older one.
TEST_F(Checkpoints, TheNewestThatVerifiesWins) {
  EXPECT_EQ(newest(), "");
  const fs::path first = save(1, 1);
  const fs::path second = save(2, 2);
  EXPECT_EQ(newest(), second);
  damage(second);
  EXPECT_EQ(newest(), first);
  EXPECT_EQ(resolve_checkpoint(first), first);
  EXPECT_NE(message_of<CheckpointError>([&] { resolve_checkpoint(second); }).find("XXH3"),
            std::string::npos);
  damage(first);
  EXPECT_NE(message_of<CheckpointError>([&] { newest(); }).find("none of the 2"),
            std::string::npos);
}

// Defect: a checkpoint whose files are whole and whose numbers are not, which ends a resume at its
// first step although an older one is good.
TEST_F(Checkpoints, WhoseValuesAreNotFiniteArePassedOver) {
  const fs::path good = save(1, 1);
  Store broken(2);
  const fs::path newer = save(2, broken.store);
  broken.store.units()[0]->state()[1].shard[5] = std::numeric_limits<float>::quiet_NaN();
  const fs::path newest_of_all = save(3, broken.store);
  EXPECT_EQ(newest(), newer);
  EXPECT_EQ(newest(CheckpointCheck::kFiles), newest_of_all);
  broken.store.units()[0]->master()[0] = std::numeric_limits<float>::infinity();
  save(2, broken.store);
  EXPECT_EQ(newest(), good);
  EXPECT_EQ(message_of<CheckpointError>([&] { verify_values(newer, read_manifest(newer)); }),
            newer.string() + ": weights/table has values that are not finite (NaN or infinity)");
}

// Defect: what a killed save left counts or stays; a file of the user's that lies there is removed.
TEST_F(Checkpoints, WhatAKilledSaveLeftIsRemovedAndNothingElse) {
  const fs::path kept = save(1, 1);
  folder_.write("step-00000002/rank-00000-0.h5", "half");
  folder_.write("notes.txt", "mine");
  folder_.write("best/model", "mine too");
  EXPECT_EQ(newest(), kept);
  remove_unfinished_checkpoints(folder_.path());
  EXPECT_FALSE(fs::exists(folder_ / "step-00000002"));
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
  EXPECT_TRUE(fs::exists(folder_ / "best/model"));
  EXPECT_TRUE(fs::exists(kept));
}

// Defect: retention that counts a damaged checkpoint as one to keep, and removes the good one.
TEST_F(Checkpoints, RetentionKeepsTheNewestThatVerify) {
  const fs::path first = save(1, 1);
  const fs::path second = save(2, 2);
  const fs::path third = save(3, 3);
  damage(third);
  KnownCheckpoints known;
  remove_old_checkpoints(folder_.path(), {.newest = 1}, known);
  EXPECT_EQ(list_checkpoints(folder_.path()), (std::vector<fs::path>{third, second}));
  EXPECT_EQ(known.verified, std::set<fs::path>{second});
}

// Defect: a checkpoint that was to stay, for its step or its validation loss, is removed.
TEST_F(Checkpoints, RetentionKeepsEveryNthAndTheBest) {
  const std::vector<std::optional<double>> losses = {3.0, 2.0, std::nullopt, 2.5, 2.0, 2.7, 4.0};
  std::vector<fs::path> saved;
  for (size_t i = 0; i < losses.size(); ++i)
    saved.push_back(save_with_loss(static_cast<int64_t>(i) + 1, losses[i]));
  KnownCheckpoints known;
  remove_old_checkpoints(folder_.path(), {.newest = 1, .every = 3, .best = 2}, known);
  // The newest, the multiples of 3, and of the two with a loss of 2.0 both.
  EXPECT_EQ(list_checkpoints(folder_.path()),
            (std::vector<fs::path>{saved[6], saved[5], saved[4], saved[2], saved[1]}));
  remove_old_checkpoints(folder_.path(), {.newest = 1, .best = 1}, known);
  EXPECT_EQ(list_checkpoints(folder_.path()), (std::vector<fs::path>{saved[6], saved[4]}));
}

// Defect: the error of a step that is not there leaves the reader to look for those that are.
TEST_F(Checkpoints, AMissingOneNamesTheOthers) {
  save(1, 1);
  save(2, 2);
  EXPECT_NE(message_of<CheckpointError>([&] {
              resolve_checkpoint(folder_ / "step-00000003");
            }).find("has step-00000002, step-00000001"),
            std::string::npos);
}

// Defect: a checkpoint of another model that is loaded in part.
TEST_F(Checkpoints, OfAnotherModelAreRefused) {
  const fs::path path = save(1, 1);
  Store other(1);
  ParameterSpec spec;
  spec.name = "missing";
  spec.logical_shape = {2};
  ParameterStore larger(at::kFloat, at::kCPU);
  larger.add(larger.add_unit("unit"), spec);
  larger.allocate(1);
  EXPECT_NE(message_of<CheckpointError>([&] {
              load_tensors(path, read_manifest(path), larger, /*with_optimizer=*/false);
            }).find("missing"),
            std::string::npos);
}

// Defect: a manifest that makes the program read or remove files elsewhere, or crashes it. One of
// format 3 has no checksum that would tell of the change.
TEST_F(Checkpoints, ImpossibleManifestsAreRefused) {
  const fs::path path = save(1, 1);
  std::string good = read_file(path / "manifest.json");
  good.replace(2, good.find('\n', 2) - 1, "");
  good.replace(good.find("\"format\": 4"), 11, "\"format\": 3");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    write_file_durably(path / "manifest.json", text);
    return message_of<CheckpointError>([&] { read_manifest(path); });
  };
  EXPECT_NE(with("\"name\": \"rank-00000-0.h5\"", "\"name\": \"../../etc/passwd\"")
                .find("outside its folder"),
            std::string::npos);
  EXPECT_NE(with("\"file\": \"rank-00000-0.h5\"", "\"file\": \"../elsewhere.h5\"")
                .find("a file that it does not list"),
            std::string::npos);
  EXPECT_NE(with("\"step\": 1", "\"step\": \"x\"").find("damaged"), std::string::npos);
  EXPECT_NE(with("\"step\": 1", "\"step\": -1").find("step -1"), std::string::npos);
  for (const char* number : {"-5", "0", "1000000000000000"}) {
    EXPECT_NE(with("\"num_tokens\": 5", cat("\"num_tokens\": ", number)).find(" tokens"),
              std::string::npos);
  }
  EXPECT_NE(with("\"start_token\": null", "\"start_token\": 5").find("start token"),
            std::string::npos);
  EXPECT_NE(with("{", "[").find("damaged"), std::string::npos);
  EXPECT_NE(with("\"format\": ", "\"format\": 9").find("format"), std::string::npos);
  write_file_durably(path / "manifest.json", good);
  EXPECT_EQ(read_manifest(path).state.step, 1);
}

// Defect: a manifest with another step or other values is believed, or ends the run although good
// checkpoints stand beside it: sed 's/"step": 12/"step": 13/' trained on with a step left out.
TEST_F(Checkpoints, EveryByteOfAManifestIsCovered) {
  const fs::path first = save(1, 1);
  const fs::path second = save(2, 2);
  const std::string good = read_file(second / "manifest.json");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string text = good;
    text[at] = static_cast<char>(text[at] ^ (1 << (at % 8)));
    folder_.write("step-00000002/manifest.json", text);
    ASSERT_EQ(newest(), first) << "byte " << at;
  }
  folder_.write("step-00000002/manifest.json", "");
  EXPECT_EQ(newest(), first);
  folder_.write("step-00000002/manifest.json", good);
  EXPECT_EQ(newest(), second);
}

// How often to try, by a variable of the environment (scripts/fault_matrix.sh).
int64_t number_of_tries(const char* variable, int64_t usual) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::atoll(text) : usual;
}

// Not durable, and so quick.
void overwrite(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Defect: a flipped bit or a file that was cut short is believed, or a good checkpoint is not.
TEST_F(Checkpoints, FindsFlippedBitsAndCutFiles) {
  const fs::path first = save(1, 1);
  const fs::path second = save(2, 2);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(second)) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 3U);  // tensors, tokenizer, manifest
  const auto is_found = [&](const fs::path& file, const std::string& damaged,
                            const std::string& good) {
    overwrite(file, damaged);
    const bool found = newest() == first;
    overwrite(file, good);
    return found;
  };
  std::mt19937_64 random(11);
  const int64_t flips = number_of_tries("LMTRAIN_TEST_FLIPS", 500);
  for (int64_t i = 0; i < flips; ++i) {
    const fs::path& file = files[random() % files.size()];
    const std::string good = read_file(file);
    std::string damaged = good;
    const size_t bit = random() % (8 * good.size());
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_TRUE(is_found(file, damaged, good)) << file << " bit " << bit;
  }
  constexpr size_t kStep = 4096;
  for (const fs::path& file : files) {
    const std::string good = read_file(file);
    for (size_t size = 0; size < good.size(); size += kStep)
      ASSERT_TRUE(is_found(file, good.substr(0, size), good)) << file << " cut to " << size;
  }
  const int64_t loads = number_of_tries("LMTRAIN_TEST_LOADS", 50);
  for (int64_t i = 0; i < loads; ++i) ASSERT_EQ(newest(), second) << "load " << i;
}

// Defect: a newer checkpoint whose files are whole, but of which no run can be made, ends a resume;
// one that is not a file at all holds it up for ever.
TEST_F(Checkpoints, OfWhichNoRunCanBeMadeArePassedOver) {
  const fs::path good = save(1, 1);
  CheckpointState state;
  state.step = 2;
  state.num_tokens = 5;
  state.config = "run: [";
  Store of(2);
  EXPECT_EQ(save_checkpoint(folder_.path(), of.store, *alone_, state, "{}", *alone_), "");
  EXPECT_EQ(newest(), good);
  const fs::path manifest = checkpoint_path(folder_.path(), 2) / "manifest.json";
  fs::remove(manifest);
  ASSERT_EQ(mkfifo(manifest.c_str(), 0600), 0);
  EXPECT_EQ(newest(), good);
}

// Defect: the user's own copies, notes and links among the checkpoints are trained from or removed.
TEST_F(Checkpoints, WhatIsTheUsersIsNeitherTakenNorRemoved) {
  const fs::path first = save(6, 1);
  const fs::path second = save(9, 2);
  fs::copy(first, folder_ / "step-best", fs::copy_options::recursive);
  fs::copy(first, folder_ / "step-00000099", fs::copy_options::recursive);  // another step's name
  folder_.write("step-notes/notes.txt", "mine");
  folder_.write("archive/step-00000012/manifest.json", read_file(second / "manifest.json"));
  fs::create_directory_symlink(folder_ / "archive/step-00000012", folder_ / "step-00000012");
  EXPECT_EQ(newest(), second);
  KnownCheckpoints known;
  remove_old_checkpoints(folder_.path(), {.newest = 1}, known);
  remove_unfinished_checkpoints(folder_.path());
  EXPECT_EQ(known.verified, std::set<fs::path>{second});
  EXPECT_FALSE(fs::exists(first));
  for (const char* name : {"step-best/manifest.json", "step-notes/notes.txt",
                           "archive/step-00000012/manifest.json", "step-00000012"})
    EXPECT_TRUE(fs::exists(folder_ / name)) << name;
}

// Defect: what cannot be listed counts as empty, and a run begins at step 0 over its checkpoints.
TEST_F(Checkpoints, WhatCannotBeListedIsNotEmpty) {
  const std::string path = folder_.write("checkpoints", "a file");
  EXPECT_NE(message_of<IoError>([&] { newest(path); }).find(path), std::string::npos);
  EXPECT_EQ(newest(folder_ / "nowhere"), "");
}

// Defect: a save of a step that has a checkpoint removes that before the new one is there.
TEST_F(Checkpoints, ASaveOfTheSameStepReplacesAtTheEnd) {
  const fs::path path = save(3, 1);
  folder_.write("step-00000003.new/rank-00000-0.h5", "half");  // what a killed save left
  save(3, 2);
  Store loaded(4);
  load_tensors(path, read_manifest(path), loaded.store, /*with_optimizer=*/true);
  EXPECT_TRUE(at::equal(loaded.state(), Store(2).state()));
  EXPECT_FALSE(fs::exists(path.string() + ".new"));
  folder_.write("step-00000003.new/rank-00000-0.h5", "half");
  remove_unfinished_checkpoints(folder_.path());
  EXPECT_FALSE(fs::exists(path.string() + ".new"));
  EXPECT_EQ(newest(), path);
}

// Defect: a save goes through a link that has the name of its step, or removes it.
TEST_F(Checkpoints, ASaveWhereALinkLiesIsAbandoned) {
  const fs::path path = save(3, 1);
  fs::create_directory_symlink(path, checkpoint_path(folder_.path(), 4));
  CheckpointState state;
  state.step = 4;
  Store of(2);
  EXPECT_NE(save_checkpoint(folder_.path(), of.store, *alone_, state, "{}", *alone_).find("a link"),
            std::string::npos);
  EXPECT_TRUE(fs::is_symlink(checkpoint_path(folder_.path(), 4)));
  EXPECT_EQ(newest(), path);
}

}  // namespace
}  // namespace lmtrain
