/*
 * Who owns a job, and who may act for it: marks, tokens, resumption, checks and holds, the reap, deaths,
 * restarts. One job, a database, two finalizers at a time, and a watchdog that may die between any two
 * of its steps, as often as it likes. The names are those of the packages liveness and reaper; where a
 * step stands for a function, the function is named.
 *
 * THREE QUESTIONS, each asked of as much of the model as bears on it:
 *
 *   -DFENCE   what a positive check promises. No claim is made about who is reaped, so leases, the
 *             warm-up and the grace are over whenever that does the most harm.
 *   -DSPARE   who is reaped. Checks and holds are left out, which only makes for more reaps.
 *   -DLIVE    whether every job comes to its end. Faults stop at some time; a step that stays possible is
 *             taken at some time (weak fairness, one process a duty).
 *
 * PROPERTIES. With -DONLY=n only the n-th is looked at.
 */
#define ALONE     1 /* never are two finalizers inside their holds, as they count them */
#define KEPT      2 /* throughout a hold the row is its holder's: open, under its run, and not reaped */
#define SPARED    3 /* who owns the job, runs and beats, is not revoked and not reaped before the backstop */
#define ONCE      4 /* the job is finalized once */
#define TOLD      5 /* a run that this watchdog has reaped is never granted again */
#define UNTOUCHED 6 /* no row changed, nobody revoked */
/* and, in LIVE, the formula at the end: every job is finalized, or has failed after all its attempts. */

#ifndef ONLY
#define ONLY 0
#endif
#define HOLDS(property, condition) assert((ONLY && ONLY != property) || (condition))

/*
 * SAFEGUARDS are taken away by -DWITHOUT_…, each in the place where it acts.
 *
 * TIME has no numbers here. A span is a bit, and it ends at any moment but for the order that the design
 * makes certain whatever the settings are:
 *
 *   - A hold, counted by the watchdog from when it received the check, ends no earlier than the holder's
 *     own, counted from when it sent it; in the state file no earlier than in memory. Here the holder's
 *     begins when the promise is made and ends together with the watchdog's: at its longest.
 *   - The lease of a session whose process runs, can connect, and is about to come back does not lapse.
 *     That of one that is stopped, dead, or believes that it is connected may, at once.
 *   - The warm-up lasts until whoever owned the job when the watchdog died, runs and can connect, is back.
 *   - The ceiling may be reached at any time; past it no hold is given. The grace is always over.
 *
 * Each run of the real program, with whatever spans the settings' rules allow, keeps these orders and so is
 * a run of the model: what holds here holds there. The other way is not so: whether a counter-example
 * could happen has to be thought about.
 *
 * MESSAGES. A request lies in its connection until it is read, also when its sender has hung up, died, or
 * connected again: each finalizer has its connection and at most one older one of which the watchdog has
 * not seen the end. A reply or an event is read when it is sent, or never: nothing that the reader does in
 * between could change what it says. A refusal that only says to ask again (owned, unavailable) is no
 * step: the request stays.
 *
 * LEFT OUT: guarded stages and the kill switch, which make ownership count or not; workers and Tier 1; the
 * brake and the clock's jumps, which only ever defer; limits; bad input; other users.
 */

#ifndef RUNS
#define RUNS 2 /* how often the job is claimed before a reap fails it */
#endif

#ifdef LIVE
bit calm;                       /* no fault happens any more */
#define FAULTS (!calm)
#else
#define FAULTS true
#endif
#ifdef RIVALS                   /* a second finalizer may begin for the same run */
#define RIVAL FAULTS
#else
#define RIVAL false
#endif
#if defined(NO_LOSSES) || defined(LIVE)
#define LOSSES false            /* a connection ends with its process or with the watchdog only */
#else
#define LOSSES FAULTS
#endif
#if defined(NO_STOPS) || defined(FENCE)
#define STOPS false             /* where nobody has to come back in time, who never takes a step is as good as stopped */
#else
#define STOPS FAULTS
#endif
#ifdef NO_CRASHES
#define CRASHES false
#else
#define CRASHES FAULTS
#endif

mtype:status = { queued, open, done, failed };
mtype:transaction = { none, updated, sent, applied, refused, orphan, adrift };
mtype:life = { nobody, running, stopped, dead };
mtype:phase = { away, asking, held, checking };
mtype:older = { absent, mark, resume, check, clear, end, hungup, exited };
mtype:step = { resting, judged, revoking, committing, awaiting, pending, retrying };

/* The row. Its version is (status, run): a run belongs to one claim. */
mtype:status status = queued;
byte newrun = 0;                  /* the newest */
bit aged;                       /* past its ceiling */
bit finalized;

/* The one transaction that can have the row's lock. */
mtype:transaction tx = none;
#define locked (tx == updated || tx == sent || tx == orphan || tx == adrift)

/* The finalizers. */
mtype:life life[2] = nobody;
byte runof[2];
mtype:phase phase[2] = away;    /* away: it has no connection. asking, checking: it waits for the reply */
bit unread[2];                  /* what it waits for the reply to has not been read yet */
bit token[2];                   /* it knows a token */
bit window[2];                  /* it is inside its hold, as it counts; it may be dead: its children act on */
mtype:older older[2] = absent;  /* its older connection: what lies in it, or what the watchdog saw of its end */
bit junior;                     /* whose token is the newer */

/* The registry, and the state file. 0: nobody; 1, 2: the finalizer 0, 1. */
bit up = 1;
bit warm;
byte owner;
bit onolder;                    /* the ownership hangs on its owner's older connection */
bit wants;                      /* its first check waits for the database */
bit confirmed;                  /* the database was asked after that, and has the job open under its run */
bit resumed;                    /* the ownership is by a token from before (kept for two mutants only) */
byte asked;                     /* the database is being asked about it; 1: will say closed, 2: open */
byte hold, filed;               /* in memory; in the file */
byte reaping;                   /* run with a reap whose outcome is not known yet */
byte reaped;                    /* set of runs that were reaped */
bit revoked[2];                 /* tokens */
bit newest[2];                  /* the database said, to a mark that waits, that its run is the newest */

/* The reaper. */
mtype:step reaper = resting;
bit alone;                      /* the backstop's verdict: whoever owns the job, it is the same */
byte judgedowner, judgedstate;  /* else the claim that was judged */
bit othertoken;                 /* and since then the owner got another token, or somebody cleared */
bit otherversion;               /* since then the row became another */

/* Of the properties, not of the program. */
byte rightful;                  /* who was granted the job under its newest run last; 0: nobody that counts */
bit late[2];                    /* it was stopped while its ownership had no connection */

/* ================================ what hangs on what ================================ */

#define OTHER(i) (1-(i))
#define owns(i) (owner == (i)+1)
#define ended(i) (older[i] == hungup || older[i] == exited)
#define state (owner == 0 -> 0 : (!onolder -> 1 : (older[owner-1] == hungup -> 2 : (older[owner-1] == exited -> 3 : 1))))
#define connected 1
#define reconnecting 2
#define died 3
#define judging (reaper == judged || reaper == revoking)
#define claimed (judging && !alone)

/* Nothing is left of the finalizer that had this place. */
#define vacant(i) ((life[i] == nobody || life[i] == dead) && !window[i] && hold != (i)+1 && filed != (i)+1 \
	&& !owns(i) && older[i] == absent)

inline tidy(i) { /* what does not matter any more must not tell states apart */
	if
	:: vacant(i) -> life[i] = nobody; runof[i] = 0; revoked[i] = 0
	:: else
	fi
}

byte who; /* within one step; else 0 */

inline loseowner() { /* Registry.end */
	who = owner-1;
	if :: onolder && ended(who) -> older[who] = absent :: else fi;
	owner = 0; onolder = 0; wants = 0; confirmed = 0; resumed = 0; asked = 0;
	tidy(who); who = 0
}

inline withdraw() { /* Registry.withdraw; the event is read in Finalizer */
	revoked[owner-1] = 1;
	loseowner()
}

inline hangup(i) { /* the finalizer's own end of its connection; what it sent stays to be read */
	if
	:: phase[i] == away
	:: phase[i] != away && owns(i) && onolder /* no third connection here: what the newest carried is lost */
	:: else ->
		if :: owns(i) -> onolder = 1 :: else fi;
		if
		:: !unread[i] -> older[i] = end
		:: unread[i] && phase[i] == checking -> older[i] = check
		:: unread[i] && phase[i] == asking && token[i] -> older[i] = resume
		:: unread[i] && phase[i] == asking && !token[i] -> older[i] = mark
		fi
	fi;
	phase[i] = away; unread[i] = 0
}

inline quit(i, becomes) { /* the finalizer is no more, or no finalizer */
	hangup(i);
	life[i] = becomes; token[i] = 0; newest[i] = 0; late[i] = 0;
	if :: older[i] != resume -> junior = OTHER(i) :: else fi;
	if :: rightful == (i)+1 -> rightful = 0 :: else fi;
	tidy(i)
}

inline told(i) {
	HOLDS(SPARED, rightful != (i)+1 || aged || status != open || newrun != runof[i]);
	printf("finalizer %d is told that it was revoked, and stops\n", i);
	quit(i, nobody)
}

#include "grant.pml"
#include "sessions.pml"
#include "reaper.pml"
#include "world.pml"
