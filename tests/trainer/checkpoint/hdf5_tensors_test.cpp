#include "trainer/checkpoint/hdf5_tensors.h"

#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include "base/error.h"

namespace lmtrain {
namespace {

class Hdf5Tensors : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) /
            ("hdf5-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
             ".h5");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static std::vector<char> bytes_of(const Hdf5Image& image) {
    std::vector<char> bytes;
    for (const Hdf5Image::Part& part : image.parts()) {
      if (part.data == nullptr)
        bytes.resize(bytes.size() + part.size);
      else
        bytes.insert(bytes.end(), part.data, part.data + part.size);
    }
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), image.size());
    return bytes;
  }
  void write(const std::vector<char>& bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string refusal(at::Tensor into) const {
    try {
      Hdf5Reader(path_).read("weights", "a.weight", into);
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path path_;
  const at::Tensor tensor_ = at::arange(12, at::kFloat).view({3, 4});
};

// Defect: a value, shape or type that changes on the way to the file and back.
TEST_F(Hdf5Tensors, ReadBackToTheBit) {
  const at::Tensor wide = at::randn({5}, at::kDouble);
  Hdf5Writer writer;
  writer.add("weights", "a.weight", tensor_);
  writer.add("weights", "b", wide);
  writer.add("exp_avg", "a.weight", tensor_ * 2);
  write(bytes_of(writer.finish()));
  const Hdf5Reader reader(path_);
  at::Tensor back = at::empty({3, 4});
  reader.read("exp_avg", "a.weight", back);
  EXPECT_TRUE(at::equal(back, tensor_ * 2));
  at::Tensor wide_back = at::empty({5}, at::kDouble);
  reader.read("weights", "b", wide_back);
  EXPECT_TRUE(at::equal(wide_back, wide));
}

// Defect: equal tensors that give files of other bytes, so that checksums of files say nothing.
TEST_F(Hdf5Tensors, EqualTensorsGiveEqualFiles) {
  const auto image = [&] {
    Hdf5Writer writer;
    writer.add("weights", "a.weight", tensor_);
    return bytes_of(writer.finish());
  };
  EXPECT_EQ(image(), image());
}

// Defect: memory for the tensors once more, because what describes them lies behind them; or a file
// with large holes.
TEST_F(Hdf5Tensors, DescriptionsStandInFront) {
  for (const int count : {1, 10, 100, 1000}) {
    Hdf5Writer writer;
    const at::Tensor large = at::ones({100000});
    for (int i = 0; i < count; ++i)
      writer.add(i % 3 == 0   ? "weights"
                 : i % 3 == 1 ? "exp_avg"
                              : "exp_avg_sq",
                 "blocks." + std::to_string(i) + ".feed_forward.expand.weight", large);
    const Hdf5Image image = writer.finish();
    size_t tensors = 0;
    size_t others = 0;
    bool is_behind = false;  // the first tensor
    for (size_t i = 0; i < image.parts().size(); ++i) {
      const bool is_tensor = image.parts()[i].data == large.const_data_ptr();
      (is_tensor ? tensors : others) += image.parts()[i].size;
      is_behind |= is_tensor;
      EXPECT_TRUE(is_tensor || !is_behind)
          << count << " tensors, part " << i << " of " << image.parts()[i].size << " bytes";
    }
    EXPECT_EQ(tensors, count * large.nbytes());
    EXPECT_LT(image.metadata_bytes(), 131072 + 2048 * count);
    EXPECT_LT(others, 16384U + 2048U * static_cast<unsigned>(count));
  }
}

// Defect: a tensor of another shape or type, or none at all, taken as it is.
TEST_F(Hdf5Tensors, RefusesWhatIsNotExpected) {
  Hdf5Writer writer;
  writer.add("weights", "a.weight", tensor_);
  write(bytes_of(writer.finish()));
  EXPECT_NE(refusal(at::empty({4, 3})).find("shape"), std::string::npos);
  EXPECT_NE(refusal(at::empty({3, 4}, at::kDouble)).find("type"), std::string::npos);
  at::Tensor into = at::empty({3, 4});
  EXPECT_THROW(Hdf5Reader(path_).read("weights", "missing", into), CheckpointError);
}

// Defect: a flipped bit of the data that no checksum finds.
TEST_F(Hdf5Tensors, RefusesAFlippedBit) {
  Hdf5Writer writer;
  writer.add("weights", "a.weight", tensor_);
  std::vector<char> bytes = bytes_of(writer.finish());
  const float marker = 11.0F;
  const std::string needle(reinterpret_cast<const char*>(&marker), sizeof marker);
  const size_t at = std::string_view(bytes.data(), bytes.size()).find(needle);
  ASSERT_NE(at, std::string_view::npos);
  bytes[at] ^= 1;
  write(bytes);
  EXPECT_NE(refusal(at::empty({3, 4})).find("checksum"), std::string::npos);
}

// Defect: a file cut short, or of rubbish, that crashes the reader.
TEST_F(Hdf5Tensors, RefusesABrokenFile) {
  Hdf5Writer writer;
  writer.add("weights", "a.weight", tensor_);
  std::vector<char> bytes = bytes_of(writer.finish());
  bytes.resize(bytes.size() / 2);
  write(bytes);
  EXPECT_NE(refusal(at::empty({3, 4})), "");
  write({'n', 'o', 't', 'h', 'i', 'n', 'g'});
  EXPECT_NE(refusal(at::empty({3, 4})), "");
}

// Defect: data that a hostile file keeps in another file of the machine.
TEST_F(Hdf5Tensors, RefusesExternalStorage) {
  const std::string secret = path_.string() + ".raw";
  std::ofstream(secret) << std::string(48, 'x');
  {
    const Hdf5Handle file(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                          H5Fclose, "create");
    const Hdf5Handle group(H5Gcreate2(file.id(), "weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Gclose, "group");
    const hsize_t dims[] = {3, 4};
    const Hdf5Handle space(H5Screate_simple(2, dims, nullptr), H5Sclose, "space");
    const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "list");
    ASSERT_GE(H5Pset_external(creation.id(), secret.c_str(), 0, 48), 0);
    const Hdf5Handle set(H5Dcreate2(file.id(), "weights/a.weight", H5T_IEEE_F32LE, space.id(),
                                    H5P_DEFAULT, creation.id(), H5P_DEFAULT),
                         H5Dclose, "set");
  }
  EXPECT_NE(refusal(at::empty({3, 4})).find("external"), std::string::npos);
  std::filesystem::remove(secret);
}

// Defect: a tensor of another type that is stored as fp32, with a checksum that cannot be right.
TEST(Hdf5Writer, RefusesOtherTypes) {
  Hdf5Writer writer;
  EXPECT_ANY_THROW(writer.add("weights", "bf16", at::ones({4}, at::kBFloat16)));
  EXPECT_ANY_THROW(writer.add("weights", "turned", at::ones({4, 2}).t()));
}

}  // namespace
}  // namespace lmtrain
