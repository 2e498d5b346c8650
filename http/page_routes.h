// page_routes.h - what is built into the binary for people and tools: pages and the description of
// the API. Loop thread only.
//
//   GET /, /docs and what they load, /openapi.yaml, /openapi.json: web/assets.h
//
// Each answer carries an ETag and is asked for anew every time, which costs 304 as long as it is
// the same. Pages load nothing from elsewhere, run no script that is written in them, and cannot be
// framed.
#pragma once

#include "http/router.h"

namespace belfry {

void RegisterPageRoutes(Router& router);

}  // namespace belfry
