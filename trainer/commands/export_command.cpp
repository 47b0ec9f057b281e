// export: a checkpoint as a folder that transformers loads.
#include <iostream>

#include "trainer/commands/command.h"
#include "trainer/interchange/interchange.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::string out;
  ExportOptions written;
};

void export_checkpoint(const Options& options) {
  export_model(options.checkpoint, options.out, options.written);
  std::cout << options.out << "\n";
}

}  // namespace

Command add_export(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("export", "Write a checkpoint as a folder that transformers loads");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("OUT", options->out, "New folder")->required();
  app->add_option("--type", options->written.type,
                  "float32, bfloat16, float16 or float64; without it the type of the imported "
                  "folder, or the one it was trained in");
  app->add_option("--max-file-bytes", options->written.max_file_bytes,
                  "Size of the largest safetensors file; a larger model gets several and an index")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app->add_flag(
         "--adapter", options->written.adapter,
         "Write the adapters of low rank alone, as a folder that peft loads; without it they "
         "are merged into the weights")
      ->excludes("--max-file-bytes");
  return {.app = app,
          .examples = {"lmtrain export runs/quickstart exported",
                       "lmtrain export runs/quickstart exported-fp16 --type float16"},
          .synonyms = {checkpoint_words(),
                       {{"dtype", "torch_dtype", "precision", "outtype"}, {"--type"}, ""},
                       {{"max_shard_size", "shard_size"}, {"--max-file-bytes"}, ""},
                       {{"output", "output_dir", "out", "o"},
                        {},
                        "OUT is written without an option, after CHECKPOINT"}},
          .run = run_with(options, export_checkpoint)};
}

}  // namespace lmtrain
