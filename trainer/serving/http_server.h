// A small front of cpp-httplib, which http_server.cpp alone includes: routes with an answer that is
// there at once, or that is written while the client waits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace lmtrain {

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;
  std::map<std::string, std::string> headers;  // their names in lower case
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
  virtual bool is_open() const = 0;
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

  // `handler` answers all requests, many at a time. What it throws becomes status 500. `on_refused`
  // makes the body of an answer that no handler gives, such as that to a body which is too long.
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
