// A small front of cpp-httplib, which http_server.cpp alone includes: routes with an answer that is
// there at once, or that is written while the client waits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lmtrain {

// A request that is refused while it is read, with a status of HTTP.
struct HttpRefusal : std::runtime_error {
  HttpRefusal(int http_status, const std::string& why)
      : std::runtime_error(why), status(http_status) {}
  int status;
};

struct HttpRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // their names in lower case
  // Reads the body, once and before the handler returns. A handler may refuse a request without
  // it; the connection ends then. Throws HttpRefusal for one that is too long.
  std::function<std::string()> read_body;
  // Whether the client still waits for the answer; otherwise nobody will read it.
  std::function<bool()> client_is_there;

  // "" where there is none.
  std::string header(const std::string& name) const;
};

// Where an answer goes that is written while the client waits.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // Returns whether the client is still there.
  virtual bool write(std::string_view text) = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  // Writes the body in place of the one above; its status is that above.
  std::function<void(HttpSink&)> stream;
  std::map<std::string, std::string> headers;
};

struct HttpLimits {
  int64_t most_body_bytes = 0;
  int64_t most_clients = 0;  // connections that are served at once
  double seconds_to_read = 10;
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // `handler` answers all requests, many at a time, and throws nothing. `on_refused` makes the body
  // of an answer that the library gives itself, such as that to what is no HTTP.
  HttpServer(const HttpLimits& limits, Handler handler,
             std::function<std::string(int status)> on_refused);
  ~HttpServer();

  // Returns the port, which the system chooses for port 0. Throws IoError naming the address.
  int bind(const std::string& host, int port);
  // Answers until stop() is called on another thread.
  void serve();
  void stop();

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

}  // namespace lmtrain
