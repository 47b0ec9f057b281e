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

HttpRequest request_of(const httplib::Request& from) {
  HttpRequest request{from.method, from.path, from.body, {}, {}};
  if (from.method == "POST")
    request.client_is_there = [descriptor = descriptor_of(from)] {
      return is_connected(descriptor);
    };
  for (const auto& [name, value] : from.headers) request.headers[in_lower_case(name)] = value;
  return request;
}

class Sink : public HttpSink {
 public:
  explicit Sink(httplib::DataSink& sink) : sink_(sink) {}
  bool write(std::string_view text) override { return sink_.write(text.data(), text.size()); }
  bool is_open() const override { return sink_.is_writable(); }

 private:
  httplib::DataSink& sink_;
};

void answer(HttpResponse from, httplib::Response& response) {
  response.status = from.status;
  for (const auto& [name, value] : from.headers) response.set_header(name, value);
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

}  // namespace

std::string HttpRequest::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}

struct HttpServer::Server : httplib::Server {};

HttpServer::HttpServer(const HttpLimits& limits, Handler handler,
                       std::function<std::string(int status)> on_refused)
    : server_(std::make_unique<Server>()) {
  const auto num_threads = static_cast<size_t>(limits.most_clients);
  server_->new_task_queue = [num_threads] { return new httplib::ThreadPool(num_threads); };
  server_->set_payload_max_length(static_cast<size_t>(limits.most_body_bytes));
  server_->set_read_timeout(static_cast<time_t>(limits.seconds_to_read));
  server_->set_keep_alive_max_count(1000);
  server_->set_tcp_nodelay(true);
  const auto to_handler = [handler = std::move(handler)](const httplib::Request& request,
                                                         httplib::Response& response) {
    answer(handler(request_of(request)), response);
  };
  server_->Get(".*", to_handler);
  server_->Post(".*", to_handler);
  server_->set_error_handler([on_refused](const httplib::Request&, httplib::Response& response) {
    if (response.body.empty() && !response.content_provider_)
      response.set_content(on_refused(response.status), "application/json");
  });
  server_->set_exception_handler([](const httplib::Request&, httplib::Response& response,
                                    std::exception_ptr) { response.status = 500; });
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
