// options.h - options that several subcommands of belfry-bench share. Main thread.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "bench/endpoint.h"

namespace belfry {

constexpr int kConnectionsMax = 60'000;
constexpr int64_t kCountMax = 100'000'000;

// Written like 90s; `*value_ms` is the default.
void AddDuration(CLI::App* app, const std::string& name, int64_t* value_ms,
                 const std::string& meaning);

using EndpointParser = Result<Endpoint> (*)(const std::string&);

// `*endpoint` starts as what `default_text` says.
void AddEndpoint(CLI::App* app, const std::string& name, EndpointParser parser, Endpoint* endpoint,
                 const std::string& default_text, const std::string& meaning);

// --url of the daemon.
void AddDaemon(CLI::App* app, Endpoint* endpoint);

// --pid of the daemon.
void AddPid(CLI::App* app, int* pid);

// --json: one JSON object on stdout instead of text.
void AddJson(CLI::App* app, bool* json);

// A number that may be written like 100M.
CLI::Option* AddCount(CLI::App* app, const std::string& name, uint64_t* count,
                      const std::string& meaning);

// Says it on stderr; the exit code of a run that failed.
int Fail(const Status& status);

}  // namespace belfry
