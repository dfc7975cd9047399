// Tests a child process that was forked after a model was loaded.
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static void in_child(flowmask_model *model, flowmask_session *session, const flowmask_result *result, const scene *s) {
  flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
  const flowmask_image *images[1] = {&image};
  flowmask_options options = options_of(DIAMETER);
  flowmask_result *none = NULL;
  float style[1];
  BAD(FLOWMASK_ERROR_FORKED, "open it again", flowmask_segment(session, &image, &options, &none));
  BAD(FLOWMASK_ERROR_FORKED, "open it again", flowmask_segment_many(session, images, 1, &options, &none, NULL));
  BAD(FLOWMASK_ERROR_FORKED, "open it again", flowmask_style(session, &image, &options, style, 1));
  CHECK(strstr(flowmask_last_error(session), "another process"), "%s", flowmask_last_error(session));
  check_labels(result, s);
  // A session of its own model works.
  flowmask_session *own = NULL;
  flowmask_model *loaded = NULL;
  GOOD(flowmask_model_load(model_name, NULL, &loaded));
  GOOD(flowmask_session_new(loaded, &own));
  GOOD(flowmask_segment(own, &image, &options, &none));
  check_labels(none, s);
  GOOD(flowmask_session_free(own));
  GOOD(flowmask_model_free(loaded));
  GOOD(flowmask_session_free(session));
  GOOD(flowmask_model_free(model));
}

void test_fork(const scene *s) {
  flowmask_model *model = NULL;
  flowmask_session *session = NULL;
  flowmask_result *result = NULL;
  flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
  flowmask_options options = options_of(DIAMETER);
  GOOD(flowmask_model_load(model_name, NULL, &model));
  GOOD(flowmask_session_new(model, &session));
  GOOD(flowmask_segment(session, &image, &options, &result));
  pid_t child = fork();
  CHECK(child >= 0, "no child");
  if (!child) {
    in_child(model, session, result, s);
    // Another program ends in its place, since valgrind takes what the library leaves alone in a child for leaks.
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    _exit(2);
  }
  int status = 0;
  // A child that hangs is ended after five minutes, which suffices under valgrind.
  for (int i = 0; !waitpid(child, &status, WNOHANG); i++) {
    if (i == 30000) kill(child, SIGKILL);
    struct timespec pause = {0, 10000000};
    nanosleep(&pause, NULL);
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
  GOOD(flowmask_result_free(result));
  // The parent goes on.
  GOOD(flowmask_segment(session, &image, &options, &result));
  check_labels(result, s);
  GOOD(flowmask_result_free(result));
  GOOD(flowmask_session_free(session));
  GOOD(flowmask_model_free(model));
}
