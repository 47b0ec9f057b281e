// import: a checkpoint from a folder of transformers.
#include <iostream>

#include "base/log.h"
#include "base/text.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/commands/command.h"
#include "trainer/config/load_config.h"
#include "trainer/interchange/interchange.h"

namespace lmtrain {
namespace {

struct Options {
  std::string folder;
  std::string adapter;
  std::string out;
};

void import_folder(const Options& options) {
  import_model(options.folder, options.adapter, options.out);
  const std::filesystem::path checkpoint = checkpoint_path(options.out, 0);
  const Manifest manifest = read_manifest(checkpoint);
  const ModelConfig model =
      parse_config(manifest.state.config, (checkpoint / "manifest.json").string()).config.model;
  log_info(cat("a ", model.kind, " of ", counted(model.num_layers, "layer"), " of ",
               model.hidden_size, ", with ", with_commas(manifest.state.num_tokens),
               " tokens and the head ", name_of(model.head)));
  std::cout << checkpoint.string() << "\n";
}

}  // namespace

Command add_import(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("import", "Make a checkpoint of a model's folder of transformers");
  const auto options = std::make_shared<Options>();
  app->add_option("FOLDER", options->folder,
                  "Folder with config.json, safetensors and tokenizer.json")
      ->required();
  app->add_option("OUT", options->out, "New folder for the checkpoint")->required();
  app->add_option("--adapter", options->adapter,
                  "Folder of the peft package with adapters of low rank for this model");
  return {.app = app,
          .examples = {"lmtrain import models/gpt2 imported-gpt2"},
          .synonyms = {{{"model", "input", "model_path", "model_name_or_path", "checkpoint"},
                        {},
                        "FOLDER is written without an option"},
                       {{"output", "output_dir", "out", "o"},
                        {},
                        "OUT is written without an option, after FOLDER"}},
          .run = run_with(options, import_folder)};
}

}  // namespace lmtrain
