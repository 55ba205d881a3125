/* crew.c: the threads of a scan, and the progress line while they work. See crew.h. */
#include "app/crew.h"
#include "app/app.h"
#include "report/report.h"
#include <pthread.h>
#include <time.h>

struct crew {
	struct scan *scan;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned running, idle;
};

static void *work(void *argument)
{
	struct crew *c = argument;
	struct scan_worker *w = scan_worker_new(c->scan);
	for (;;) {
		if (scan_worker_step(w)) continue;
		/* Nothing to do now; as long as somebody works, a large source may become shareable. */
		pthread_mutex_lock(&c->lock);
		if (++c->idle == c->running) {
			pthread_cond_broadcast(&c->changed);
			pthread_mutex_unlock(&c->lock);
			break;
		}
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 5000000;
		if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
		pthread_cond_timedwait(&c->changed, &c->lock, &until);
		bool done = c->idle == c->running;
		if (!done) c->idle--;
		pthread_mutex_unlock(&c->lock);
		if (done) break;
	}
	scan_worker_free(w);
	return NULL;
}

static void show_progress(const struct scan *scan, double started)
{
	struct scan_progress p;
	struct buf line = {0};
	scan_progress(scan, &p);
	report_progress(&(struct progress_line){p.bytes, p.bytes_total, p.events, p.hits, app_seconds() - started}, app_width(stderr) - 1, &line);
	fprintf(stderr, "\r\033[K%.*s", (int)line.n, line.p);
	fflush(stderr);
	buf_done(&line);
}

struct watch { struct crew *crew; double started; bool stop; pthread_mutex_t lock; pthread_cond_t wake; };

static void *watch_progress(void *argument)
{
	struct watch *w = argument;
	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 200000000;
		if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
		pthread_cond_timedwait(&w->wake, &w->lock, &until);
		if (!w->stop) show_progress(w->crew->scan, w->started);
	}
	pthread_mutex_unlock(&w->lock);
	fputs("\r\033[K", stderr);
	return NULL;
}

void crew_run(struct scan *scan, unsigned jobs, bool progress, double started)
{
	struct crew crew = {.scan = scan, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .running = jobs};
	struct watch watch = {.crew = &crew, .started = started, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
	pthread_t watcher, *threads = xcalloc(jobs, sizeof *threads);
	unsigned made = 1;
	if (progress) progress = pthread_create(&watcher, NULL, watch_progress, &watch) == 0;
	for (; made < jobs; made++)
		if (pthread_create(&threads[made], NULL, work, &crew)) break;
	pthread_mutex_lock(&crew.lock);
	crew.running = made;
	pthread_mutex_unlock(&crew.lock);
	work(&crew);
	for (unsigned i = 1; i < made; i++) pthread_join(threads[i], NULL);
	if (progress) {
		pthread_mutex_lock(&watch.lock);
		watch.stop = true;
		pthread_cond_signal(&watch.wake);
		pthread_mutex_unlock(&watch.lock);
		pthread_join(watcher, NULL);
	}
	free(threads);
}
