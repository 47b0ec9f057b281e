#include "models/huggingface/safetensors.h"

#include <cstring>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

class Safetensors : public testing::Test {
 protected:
  // Writes a file with this header and `data_size` bytes after it.
  std::string file(const std::string& header, size_t data_size) const {
    const uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return folder_.write("x.safetensors", bytes + header + std::string(data_size, '\1'));
  }
  std::string refusal(const std::string& header, size_t data_size) const {
    return message_of<DataError>([&] { SafetensorsFile opened(file(header, data_size)); });
  }

  TemporaryFolder folder_;
};

const char* const kTwo = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                         R"("b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})";

// Defect: numbers, shapes or types change on the way to a file and back.
TEST_F(Safetensors, GiveBackWhatWasWritten) {
  std::map<std::string, at::Tensor> tensors;
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                                    at::kInt, at::kShort, at::kChar, at::kByte, at::kBool}) {
    tensors[std::string("t.") + c10::toString(type)] = at::arange(-3, 3).view({2, 3}).to(type);
  }
  tensors["transposed"] = at::arange(6).view({2, 3}).t();
  tensors["scalar"] = at::full({}, 7.5);
  tensors["empty"] = at::empty({0, 4});
  const std::filesystem::path path = folder_ / "all.safetensors";
  write_safetensors(path, tensors);
  const SafetensorsFile file(path);
  EXPECT_EQ(file.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor back = file.read(name);
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(back.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(back, tensor)) << name;
  }
  EXPECT_NE(message_of<DataError>([&] { file.read("other"); }).find("'other'"), std::string::npos);
}

// Defect: weights saved from torch.compile or DistributedDataParallel refused for their prefix; a
// folder with a pickle alone, and no word of how to convert it.
TEST_F(Safetensors, WrappersAreTakenOffNames) {
  std::map<std::string, at::Tensor> tensors = {{"module._orig_mod.a.weight", at::ones({2})},
                                               {"module._orig_mod.b", at::zeros({3})}};
  write_safetensors_folder(folder_.path(), tensors, 1 << 20);
  const SafetensorsFolder read(folder_.path());
  EXPECT_EQ(read.names(), (std::vector<std::string>{"a.weight", "b"}));
  EXPECT_TRUE(at::equal(read.read("a.weight"), at::ones({2})));
  EXPECT_EQ(read.entry("b").shape, std::vector<int64_t>{3});

  const TemporaryFolder pickled;
  pickled.write("pytorch_model.bin", "x");
  EXPECT_NE(message_of<DataError>([&] {
              SafetensorsFolder opened(pickled.path());
            }).find("save_pretrained"),
            std::string::npos);
}

// Defect: the index of a file cut in parts leaves a tensor out, or parts are larger than asked for.
TEST_F(Safetensors, SpreadOverFilesWithAnIndex) {
  std::map<std::string, at::Tensor> tensors;
  for (int i = 0; i < 5; ++i) tensors[std::to_string(i)] = at::full({100}, i, at::kFloat);
  write_safetensors_folder(folder_.path(), tensors, 900);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "model-00003-of-00003.safetensors"));
  const SafetensorsFolder folder(folder_.path());
  EXPECT_EQ(folder.names().size(), 5U);
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(at::equal(folder.read(name), tensor));

  std::filesystem::remove(folder_ / "model-00002-of-00003.safetensors");
  EXPECT_NE(message_of<DataError>([&] {
              SafetensorsFolder opened(folder_.path());
            }).find("model-00002-of-00003.safetensors"),
            std::string::npos);
  folder_.write("model.safetensors.index.json", R"({"weight_map":{"a":"../x.safetensors"}})");
  EXPECT_NE(message_of<DataError>([&] {
              SafetensorsFolder opened(folder_.path());
            }).find("no file of this folder"),
            std::string::npos);
}

// Defect: reading a hostile or torn file crashes, hangs, goes beyond its end or fills the memory.
TEST_F(Safetensors, BrokenFilesAreRefused) {
  EXPECT_NO_THROW(SafetensorsFile(file(kTwo, 16)));
  const auto one = [](const std::string& type, const std::string& shape,
                      const std::string& offsets) {
    return R"({"a":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  struct Case {
    std::string header;
    size_t data_size;
    std::string says;
  };
  const std::vector<Case> cases = {
      {kTwo, 15, "data_offsets[1]"},                       // cut short
      {kTwo, 17, "1 bytes behind the last tensor"},        // a byte after the last tensor
      {one("F32", "[2]", "[4,12]"), 12, "gap"},            // a gap before the tensor
      {one("F32", "[2]", "[8,0]"), 8, "data_offsets[1]"},  // backwards
      {one("F32", "[3]", "[0,8]"), 8, "shape and type"},   // too large for its bytes
      {one("F32", "[4294967296,4294967296]", "[0,8]"), 8, "elements"},  // 2^64 elements
      {one("F32", "[-2]", "[0,8]"), 8, "shape"},
      {one("F32", "[2.0]", "[0,8]"), 8, "shape"},
      {one("F32", "2", "[0,8]"), 8, "must be a list"},
      {one("F32", "[2]", "[0,8,9]"), 8, "two numbers"},
      {one("F32", "[2]", "[0,18446744073709551615]"), 8, "data_offsets[1]"},
      {one("F8_E4M3", "[8]", "[0,8]"), 8, "'F8_E4M3'"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
       12, "within the one before"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", 8, "data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       8, "twice"},
      {"[]", 0, "no JSON object"},
      {"{", 0, "not JSON"},
      {std::string(1000, '['), 0, "nested"},
      {"", 0, "not JSON"}};
  for (const Case& c : cases) {
    const std::string message = refusal(c.header, c.data_size);
    EXPECT_NE(message.find(c.says), std::string::npos) << c.header << ": " << message;
    EXPECT_NE(message.find("x.safetensors"), std::string::npos) << message;
  }
  // These header lengths fit no file, and these files are too short to have one.
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 7}) {
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    const std::string path = folder_.write("short.safetensors", bytes + "{}");
    EXPECT_NE(message_of<DataError>([&] { SafetensorsFile opened(path); }).find("header"),
              std::string::npos);
  }
  EXPECT_NE(message_of<DataError>([&] {
              SafetensorsFile opened(folder_.write("tiny.safetensors", "123"));
            }).find("3 bytes"),
            std::string::npos);
}

// Defect: a cut or changed byte makes reading crash. Every file here is refused or read; if it is
// read, its tensors are read too.
TEST_F(Safetensors, AnyChangedByteIsRefusedOrRead) {
  const std::string good = read_file(file(kTwo, 16));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'\0', '"', '9', '\xff', ']'}) {
      std::string bad = good;
      bad[at] = byte;
      try {
        const SafetensorsFile opened(folder_.write("fuzz.safetensors", bad));
        for (const auto& [name, entry] : opened.entries()) opened.read(name);
      } catch (const DataError&) {
      }
    }
    try {
      const SafetensorsFile opened(folder_.write("fuzz.safetensors", good.substr(0, at)));
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace lmtrain
