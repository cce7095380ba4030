#pragma once

// The whole room.

#include "briefwerk/net/blocking_socket.hpp"
#include "briefwerk/net/certificate.hpp"
#include "briefwerk/net/dns_resolver.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/listener.hpp"
#include "briefwerk/net/proxy_protocol.hpp"
#include "briefwerk/net/standing.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/net/turn_line.hpp"
