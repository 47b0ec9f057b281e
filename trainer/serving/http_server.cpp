#include "trainer/serving/http_server.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <httplib.h>
#include <netdb.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

bool is_peer(int descriptor, const std::string& address, int port) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  return getnameinfo(reinterpret_cast<sockaddr*>(&peer), size, host.data(), host.size(),
                     service.data(), service.size(), NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
         address == host.data() && cat(port) == service.data();
}

// This version of the library gives a handler no way to see that a client is gone. The connection's
// descriptor is found by its peer. -1 where it is not.
int descriptor_of(const httplib::Request& request) {
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    const auto descriptor = parse_integer(at->path().filename().string());
    if (descriptor &&
        is_peer(static_cast<int>(*descriptor), request.remote_addr, request.remote_port))
      return static_cast<int>(*descriptor);
  }
  return -1;
}

bool is_connected(int descriptor) {
  char byte = 0;
  const ssize_t size = recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return descriptor < 0 || size > 0 || (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

// Several headers of one name are one with commas (RFC 9110).
std::map<std::string, std::string> headers_of(const httplib::Request& from) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : from.headers) {
    const auto [at, is_new] = headers.emplace(in_lower_case(name), value);
    if (!is_new) at->second += ", " + value;
  }
  return headers;
}

// Reads a body whole. Of one that is too long some more is read and dropped, since a client that is
// still sending when its connection is closed does not read the answer. Nothing further is read of
// a connection whose body stays unread. Throws HttpRefusal.
std::string body_of(const HttpRequest& request, const httplib::ContentReader& reader,
                    int64_t most_bytes, int descriptor) {
  constexpr int64_t kMostDropped = int64_t{16} << 20;
  const auto refusal = [&](int status, const std::string& why, bool is_unread) {
    if (is_unread && descriptor >= 0) shutdown(descriptor, SHUT_RD);
    return HttpRefusal(status, why);
  };
  if (request.header("content-length").find_first_not_of("0123456789") != std::string::npos)
    throw refusal(400, "Content-Length is no number", true);
  // A small body could unfold to any size.
  if (!request.header("content-encoding").empty())
    throw refusal(415, "the body is encoded (Content-Encoding); send it as it is", true);
  std::string body;
  int64_t num_bytes = 0;
  const bool is_whole = reader([&](const char* data, size_t size) {
    num_bytes += static_cast<int64_t>(size);
    if (num_bytes <= most_bytes) body.append(data, size);
    return num_bytes <= most_bytes + kMostDropped;
  });
  if (num_bytes > most_bytes) {
    throw refusal(413, cat("the request is too long: it has at most ", most_bytes, " bytes here"),
                  !is_whole);
  }
  if (!is_whole) throw refusal(400, "the body of the request does not come whole", true);
  return body;
}

// What is left of a body is no further request.
void skip_body(const HttpRequest& request, const httplib::ContentReader& reader, int descriptor) {
  try {
    body_of(request, reader, /*most_bytes=*/0, descriptor);
  } catch (const HttpRefusal&) {  // the answer says something else already
  }
}

class Sink : public HttpSink {
 public:
  explicit Sink(httplib::DataSink& sink) : sink_(sink) {}
  bool write(std::string_view text) override { return sink_.write(text.data(), text.size()); }

 private:
  httplib::DataSink& sink_;
};

// For clients that do not know chunks.
class WholeBody : public HttpSink {
 public:
  bool write(std::string_view text) override {
    body += text;
    return true;
  }
  std::string body;
};

void send(HttpResponse from, bool knows_chunks, httplib::Response& response) {
  response.status = from.status;
  for (const auto& [name, value] : from.headers) response.set_header(name, value);
  if (from.stream && !knows_chunks) {
    WholeBody whole;
    from.stream(whole);
    from.body = std::move(whole.body);
    from.stream = nullptr;
  }
  if (!from.stream) {
    response.set_content(from.body, from.content_type);
    return;
  }
  response.set_chunked_content_provider(
      from.content_type, [stream = std::move(from.stream)](size_t, httplib::DataSink& out) {
        Sink sink(out);
        stream(sink);
        out.done();
        return true;
      });
}

// Only this server listens on the port: the library would share it with others.
void set_socket_options(socket_t descriptor) {
  const int yes = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

}  // namespace

std::string HttpRequest::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}

struct HttpServer::Server : httplib::Server {
  HttpServer::Handler handler;
  int64_t most_body_bytes = 0;

  void answer(const httplib::Request& from, const httplib::ContentReader* reader,
              httplib::Response& response) const {
    // Parts of an answer serve nobody, and many of them at once make a long one.
    const_cast<httplib::Request&>(from).ranges.clear();  // NOLINT: no hook comes before this
    const int descriptor = descriptor_of(from);
    HttpRequest request{from.method, from.path, headers_of(from), {}, {}};
    request.client_is_there = [descriptor] { return is_connected(descriptor); };
    bool is_read = reader == nullptr;
    request.read_body = [&] {
      if (reader == nullptr) return std::string();
      is_read = true;  // or refused on the way
      return body_of(request, *reader, most_body_bytes, descriptor);
    };
    HttpResponse answer = handler(request);
    if (!is_read) skip_body(request, *reader, descriptor);
    send(std::move(answer), from.version != "HTTP/1.0", response);
  }
};

HttpServer::HttpServer(const HttpLimits& limits, Handler handler,
                       std::function<std::string(int status)> on_refused)
    : server_(std::make_unique<Server>()) {
  const auto num_threads = static_cast<size_t>(limits.most_clients);
  Server& server = *server_;
  server.handler = std::move(handler);
  server.most_body_bytes = limits.most_body_bytes;
  server.new_task_queue = [num_threads] { return new httplib::ThreadPool(num_threads); };
  server.set_socket_options(set_socket_options);
  server.set_read_timeout(static_cast<time_t>(limits.seconds_to_read));
  server.set_keep_alive_max_count(1000);
  server.set_tcp_nodelay(true);
  const auto without_body = [&server](const httplib::Request& from, httplib::Response& response) {
    server.answer(from, nullptr, response);
  };
  const auto with_body = [&server](const httplib::Request& from, httplib::Response& response,
                                   const httplib::ContentReader& reader) {
    server.answer(from, &reader, response);
  };
  server.Get(".*", without_body);
  server.Options(".*", without_body);
  server.Post(".*", with_body);
  server.Put(".*", with_body);
  server.Patch(".*", with_body);
  server.Delete(".*", with_body);
  server.set_error_handler([on_refused](const httplib::Request&, httplib::Response& response) {
    if (response.body.empty() && !response.content_provider_)
      response.set_content(on_refused(response.status), "application/json");
  });
}

HttpServer::~HttpServer() = default;

int HttpServer::bind(const std::string& host, int port) {
  errno = 0;
  const int bound = port == 0                           ? server_->bind_to_any_port(host)
                    : server_->bind_to_port(host, port) ? port
                                                        : -1;
  if (bound >= 0) return bound;
  throw IoError(cat("cannot listen on ", host, ":", port, ": ",
                    errno == 0 ? "no such address" : std::strerror(errno),
                    "; give another --host or --port"));
}

void HttpServer::serve() { server_->listen_after_bind(); }

void HttpServer::stop() { server_->stop(); }

}  // namespace lmtrain
