#include "trainer/config/config_document.h"

#include "base/config_value.h"
#include "base/config_writer.h"
#include "trainer/config/config.h"

namespace lmtrain {
namespace {

constexpr const char* kIntroduction = R"(# Config

<!-- Generated: build/lmtrain config --markdown > docs/config.md -->

A run is described by one YAML file and by `key.sub=value` on the command line:

```sh
mpirun -n 2 build/lmtrain configs/quickstart.yaml train.steps=1000 optimizer.lr=3e-4
```

Every key has a default; a file names what differs. `build/lmtrain config FILE [key=value...]` prints
the whole resolved config with a comment per key, and a run keeps it in `runs/NAME/config.yaml`.

## Rules

Reading is strict: what is not wholly understood ends the program, before anything is written, with
one line that says where, what was expected and what was found.

- Unknown keys are refused, with the nearest known key; so are duplicate keys and keys without a
  value.
- Integers are decimal digits with at most a minus: `1000`; not `1e3`, `1_000`, `010`, `0x10`, `+5`.
- Numbers are decimal, with digits on both sides of a point: `1`, `0.5`, `6.0e-4`, `1e-8`; not `.5`,
  `5.`, `inf`, `nan`.
- Booleans are `true` and `false`.
- Texts may be plain or quoted. A text that reads as a number, `true`, `false` or `null` needs
  quotes: `name: "7"`. What is in quotes is never a number. An empty text is `""`.
- Aliases, anchors, tags, merge keys (`<<`), a second document, more than 1,000,000 bytes, more than
  100,000 values and more than 32 levels are refused, and so is text that is not UTF-8.

## Command line

`key.sub=value` follows the same rules; a later one wins over an earlier one and over the file.
The value is a YAML value as it stands within a list: a list is `[a, b]`, and a text with a comma,
bracket or a special first letter needs quotes of its own.

```sh
build/lmtrain configs/quickstart.yaml 'optimizer.betas=[0.9, 0.99]'
build/lmtrain configs/quickstart.yaml data.sources.0.path=corpus/fortunes    # an element, from 0
build/lmtrain configs/quickstart.yaml 'data.sources=[{path: a.txt}, {path: b.txt, separator: "%"}]'
```

## Exit codes

| Code | Meaning |
|---|---|
| 0 | done |
| 64 | a config file, key or command line is wrong, or the run would not fit the machine |
| 65 | input text, tokenizer or token file is wrong or missing |
| 66 | no usable checkpoint |
| 70 | numbers are wrong: not finite, too many spikes, ranks that differ |
| 73 | another job holds the run's folder |
| 74 | a file could not be written or read |
| 75 | stopped on request: SIGUSR1, SIGTERM or one Ctrl-C; after a save if training had begun |
| 76 | a rank hangs (parallel.hang_seconds), or has waited longer than parallel.timeout_seconds |
| 130 | ended at once by a second Ctrl-C |
| 1 | anything else: an error of a library, of memory, or of lmtrain
)";

std::string keys_of_rule(const Fields& fields, OnResume rule) {
  std::string lines;
  for (const ConfigValue& value : config_values(fields)) {
    if (value.on_resume == rule) lines += "| `" + value.key + "` |\n";
  }
  return lines;
}

std::string resume_section(const Fields& fields) {
  std::string text =
      "\n## What may change on resume\n\n"
      "A run continues from its newest checkpoint, which holds the config it was made with.\n\n"
      "A change of these keys is refused (64): the checkpoint would not fit, or it would be "
      "another\n"
      "experiment.\n\n| Fixed |\n|---|\n";
  text += keys_of_rule(fields, OnResume::kFixed);
  text +=
      "\nThese may change, and the log says so: what follows differs from a run that was never\n"
      "stopped. A larger `train.steps` extends a run; it also stretches the rest of the "
      "schedule.\n\n"
      "| May change, with a note |\n|---|\n";
  text += keys_of_rule(fields, OnResume::kWarned);
  text +=
      "\nAll others may change. The tokenizer and the text themselves are compared by content: "
      "another\n"
      "`tokenizer.path` or other `data.sources` with the same content continue, another content "
      "is\n"
      "refused. Bit for bit the same results need equal ranks, threads, LibTorch and instruction "
      "set;\n"
      "a difference is reported.\n\n| May change |\n|---|\n";
  return text + keys_of_rule(fields, OnResume::kFree);
}

}  // namespace

std::string config_markdown() {
  Config defaults;
  Fields fields;
  defaults.describe(fields);
  return kIntroduction + config_tables(fields) + resume_section(fields);
}

}  // namespace lmtrain
