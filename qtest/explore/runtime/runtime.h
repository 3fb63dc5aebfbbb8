/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the runtime share.
 *
 * Everything that a step of the world may change lies in the memory that
 * snapshot.c saves: World, the heaps, the stacks, the threads' TLS and store
 * buffers, and the static data of the world's objects.  Nothing of the runtime
 * itself lies there.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "../explore.h"

enum {
    MAX_THREADS = EXPLORE_MAX_THREADS,
    MAX_STORES = 24,            /* in one store buffer */
    MAX_EVENTFDS = 16,
    MAX_LOCKS = 24,
    FIRST_EVENTFD = 100,
    TLS_SIZE = 256,
    HEAP_SIZE = 0x8000,
    STACK_SIZE = 0x8000,
};

typedef enum OpKind {
    OP_START,                   /* the thread has not run yet */
    OP_LOAD, OP_STORE, OP_RMW,  /* atomic */
    OP_READ, OP_WRITE,          /* plain, of a word that threads share */
    OP_FENCE,
    OP_LOCK, OP_UNLOCK,
    OP_EVENTFD_WRITE, OP_EVENTFD_READ,
    OP_POLL, OP_POLL_RETURNS,
    OP_FUTEX_WAIT, OP_FUTEX_WAKE,
    OP_WAIT_FOR,
    OP_END,
    OP_FLUSH,                   /* a buffered store reaches memory */
    OP_TIME,                    /* the clock moves */
    OP_NOTE,
} OpKind;

/* What a parked thread does next, or did. */
typedef struct Op {
    uint32_t kind;
    uint32_t size;              /* bytes; of OP_POLL: file descriptors */
    uint64_t address;           /* of OP_EVENTFD_*: the file descriptor */
    uint64_t value, old;
    void *pc;                   /* where it is */
} Op;

typedef struct Store {
    uint64_t address, value;
    uint64_t old;               /* what memory holds, while value shows there */
    uint32_t size;
    uint32_t epoch;             /* stores of a later epoch stay behind */
    void *pc;
} Store;

typedef struct Fiber {
    void *sp;
    uint32_t ended;
    uint32_t locks;             /* bits of those that it holds */
    Op op;
    int64_t timeout, deadline;  /* ns, of OP_POLL; deadline 0: none */
    uint32_t woken;             /* of OP_FUTEX_WAIT */
    uint32_t n_stores, epoch;
    uint32_t heap_used;
    Store pending;              /* a plain store that is about to be made */
    void (*entry)(void *);
    void *opaque;
} Fiber;

typedef struct World {
    Fiber fiber[MAX_THREADS];
    int n_fibers, n_eventfds, n_locks;
    uint32_t heap_used;         /* of the set-up */
    uint8_t eventfd[MAX_EVENTFDS];
    int64_t now;
    void *lock[MAX_LOCKS];
} World;

/* ---- layout: addresses are the same in every run ------------------------ */

#define WORLD_BASE      0x100000000000ull
#define HEAPS           (WORLD_BASE + 0x4000)
#define STACKS          (HEAPS + (MAX_THREADS + 1) * HEAP_SIZE)
#define TLS_AREAS       (STACKS + MAX_THREADS * STACK_SIZE)
#define STORE_BUFFERS   (TLS_AREAS + MAX_THREADS * TLS_SIZE)
#define WORLD_END       (STORE_BUFFERS + MAX_THREADS * MAX_STORES * sizeof(Store))

#define W               ((World *)WORLD_BASE)

static inline uint64_t heap_of(int thread)
{
    return HEAPS + (uint64_t)(thread < 0 ? MAX_THREADS : thread) * HEAP_SIZE;
}

static inline uint64_t stack_top(int thread)
{
    return STACKS + (uint64_t)(thread + 1) * STACK_SIZE - 64;
}

static inline char *tls_of(int thread)
{
    return (char *)TLS_AREAS + (size_t)thread * TLS_SIZE;
}

static inline Store *stores_of(int thread)
{
    return (Store *)STORE_BUFFERS + (size_t)thread * MAX_STORES;
}

/* The static data of the world's objects; the linker marks their ends. */
extern char __start_wdata[], __stop_wdata[], __start_wbss[], __stop_wbss[];

/* ---- options ------------------------------------------------------------ */

typedef enum MemoryModel { MEMORY_SC, MEMORY_TSO, MEMORY_PSO } MemoryModel;

extern MemoryModel memory_model;
extern size_t memory_limit;     /* bytes that a search may take */

/* ---- fiber.c ------------------------------------------------------------ */

extern int current;             /* the thread that runs, or -1 */

void fibers_init(void);
/* Runs the thread from its point to its next one. */
void fiber_run(int thread);
/* Called by a hook on the fiber's stack: the next step is op. */
void fiber_park(OpKind kind, uint64_t address, uint32_t size, uint64_t value,
                void *pc);
_Noreturn void fiber_end(void);
const char *fiber_name(int thread);
int fiber_by_name(const char *name, size_t length);

/* ---- memory.c ----------------------------------------------------------- */

uint64_t raw_load(uint64_t address, uint32_t size);
void raw_store(uint64_t address, uint32_t size, uint64_t value);

void stores_show(int thread);   /* memory becomes the view of this thread */
void stores_hide(int thread);
void store_push(uint64_t address, uint32_t size, uint64_t old, uint64_t value,
                void *pc);
void store_settle(void);        /* the pending plain store was made */
void stores_drain(void);        /* of the thread that runs */
bool store_can_leave(int thread, unsigned i);
void store_leave(int thread, unsigned i);
/* May its leaving matter to another thread's next step? */
bool stores_matter(int thread);
/* The thread parks, and its store buffer is empty when it goes on. */
void synchronise(OpKind kind, uint64_t address, uint32_t size, uint64_t value,
                 void *pc);

extern unsigned long stores_overflowed;

/* ---- shared.c ----------------------------------------------------------- */

extern bool shared_frozen;      /* learn nothing: a schedule is replayed */

void shared_init(void);
/* A thread begins a step, at the end of which is its next point. */
void shared_new_step(void);
/* Notes an access of the running thread: is a word of it shared? */
bool shared_access(uint64_t address, uint32_t size, bool write);
/* Words that turned out to be shared since the last call. */
unsigned long shared_learned(void);
void shared_write_list(void *file);
void shared_add(uint64_t address);
unsigned long shared_count(void);

/* ---- kernel.c ------------------------------------------------------------ */

bool fiber_can_run(int thread);
/* Moves the clock to the next timeout, if there is one. */
bool clock_advance(void);

/* ---- snapshot.c ----------------------------------------------------------- */

typedef unsigned __int128 StateHash;

typedef struct Snapshot {
    uint8_t *data;
    size_t size, capacity;
} Snapshot;

void snapshot_init(void);
/* Into a buffer of its own; returns the hash.  Valid until the next call. */
StateHash snapshot_take(void);
void snapshot_keep(Snapshot *snapshot);     /* what was taken last */
void snapshot_restore(const Snapshot *snapshot);

/* ---- states.c -------------------------------------------------------------- */

typedef struct Choice {
    int8_t thread;
    int8_t store;               /* of its buffer, that leaves; -1: it runs */
} Choice;

void states_reset(void);
/*
 * Returns the state's number and whether it must be entered: it is new, or was
 * entered at a higher cost only.
 */
uint32_t states_visit(StateHash hash, uint32_t cost, bool *enter);
void states_mask(uint32_t state, uint16_t agents);
void states_edge(uint32_t from, uint32_t to, Choice choice);
size_t states_count(void);
size_t states_bytes(void);

/* Who may act: a thread, or its store buffer. */
static inline uint16_t agent_of(Choice c)
{
    return 1u << (c.thread + (c.store < 0 ? 0 : 8));
}

/* ---- schedule.c -------------------------------------------------------------- */

typedef struct Schedule {
    Choice *steps;
    size_t length, capacity;
} Schedule;

void schedule_push(Schedule *schedule, Choice choice);
void schedule_save(const Schedule *schedule, const char *path,
                   const char *scenario, const char *claim);
/* Also sets memory_model and the shared words.  Ends on a malformed file. */
void schedule_load(Schedule *schedule, const char *path, const char *scenario);

/* ---- livelock.c --------------------------------------------------------------- */

/*
 * Looks in the graph of all states for a cycle that a fair scheduler can follow
 * forever; returns the shortest way into it, and once round.
 */
bool livelock_find(Schedule *schedule);

/* ---- search.c ------------------------------------------------------------------ */

typedef enum Verdict {
    VERDICT_HOLDS,
    VERDICT_LOST,
    VERDICT_NOT_EXHAUSTED,
} Verdict;

typedef struct SearchCounts {
    unsigned long transitions, ends;
    size_t bytes;
} SearchCounts;

extern SearchCounts search_counts;

/*
 * Every order of the scenario from the state start; bound: at most so many
 * switches away from a thread that could go on, -1: any number.
 */
Verdict search(const Snapshot *start, int bound, Schedule *trail);
/* One order; returns false where a step is not possible. */
bool replay(const Snapshot *start, const Schedule *schedule);

/* Why this path fails, or NULL. */
const char *search_failure(void);
/* The verdict that this makes: lost, deadlock, fails or unknown. */
const char *search_failure_verdict(void);
void search_fail(const char *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* explore_fail() for what this world cannot tell: no verdict on the scenario. */
_Noreturn void fail_unknown(const char *what, const char *name);

/* ---- reach.c ---------------------------------------------------------------------- */

typedef enum ReachVerb { REACH_SLEEPS, REACH_WRITES, REACH_CLEARS } ReachVerb;

void reach_reset(void);
void reach_note(ReachVerb verb, int thread, int fd);
/* "main sleeps; vcpu clears ctx->notifier; ..." */
void reach_print(void *file);

/* ---- trace.c ------------------------------------------------------------------------ */

extern bool tracing;

/* If the trace is on: thread (-1: none) did op. */
void trace(int thread, OpKind kind, uint64_t address, uint32_t size,
           uint64_t old, uint64_t value, void *pc, const char *text);
void trace_print(const char *claim);
const char *name_of(uint64_t address);

/* ---- symbols.c ------------------------------------------------------------------------ */

void symbols_want(void *pc);
/* "function() file.c:123" */
const char *symbols_place(void *pc);

#endif
