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

/* ================================ marks: liveness/mark.go ================================ */

#ifdef WITHOUT_REFUSAL
#define refused_(i, again) false
#else
#define refused_(i, again) (reaping != 0)
#endif
#ifdef WITHOUT_REVOKED_RUNS
#define remembered(i, again) (again && revoked[i])
#else
#define remembered(i, again) ((reaped & (1 << runof[i])) || again && revoked[i])
#endif
/* A mark, or with again a mark that names its token, is answered revoked. */
#define rejected(i, again) (refused_(i, again) || remembered(i, again))

/* It comes back to what it owns: Registry.move. */
#define returns(i) (owns(i) && state != died)
#ifdef WITHOUT_SESSION_ORDER
#define leftbehind(i, stale) false
#else
#define leftbehind(i, stale) (stale && !onolder)
#endif

/* The other owns the job, under another run: the database has to be asked which is the newest. */
#ifdef WITHOUT_RUN_ORDER
#define conflict(i, again) (owns(OTHER(i)) && runof[OTHER(i)] != runof[i] && !again && hold == 0)
#define samerun(i) true
#else
#define conflict(i, again) (owns(OTHER(i)) && runof[OTHER(i)] != runof[i] && hold == 0)
#define samerun(i) (runof[i] == runof[OTHER(i)])
#endif

/* It is granted the job: nobody is in the way. */
#define heldby(i) (hold == (i)+1)
#define grantable(i, again) (!returns(i) && ( \
	owner == 0 && (again || hold == 0) || \
	conflict(i, again) && newest[i] || \
	owner != 0 && !conflict(i, again) && ( \
		again && !(state != died && hold == owner) || \
		!again && hold == 0 && state != connected)))

/* A commit of the watchdog before is on its way. It has arrived, or is lost, before fresh marks are taken to come long
 * enough after the start: Registry.young. */
#define adriftbefore (reaping == 0 && (tx == adrift || tx == orphan))

inline grant(i, stale, again) { /* Registry.grant */
	owner = (i)+1; onolder = stale; wants = 0; confirmed = 0; asked = 0;
#if defined(WITHOUT_RESUME_CONFIRM) || defined(WITHOUT_FIRST_CONFIRM)
	resumed = again;
#endif
	if
	:: again
	:: else ->
		junior = i; revoked[i] = 0;
		if :: claimed && judgedowner == (i)+1 -> othertoken = 1 :: else fi;
#ifdef SPARE
		if
		:: status == open && newrun == runof[i] -> /* with a commit under way it is too late for whoever it is */
			rightful = (!adriftbefore && (life[i] == running || life[i] == stopped) -> (i)+1 : 0)
		:: else
		fi
#endif
	fi;
	/* The other's older token is good no more. */
	if
	:: junior == i && samerun(i) && (token[OTHER(i)] || older[OTHER(i)] == resume) -> revoked[OTHER(i)] = 1
	:: else
	fi;
	late[i] = late[i] && stale; newest[i] = 0;
#ifndef WITHOUT_FRESH_NEWEST
	newest[OTHER(i)] = 0 /* what the database said is older than this mark */
#endif
}

inline take(i, stale, again, lost) {
	if
	:: returns(i) ->
		if
		:: leftbehind(i, stale)
		:: else ->
			if :: onolder && !stale && ended(i) -> older[i] = absent :: else fi;
			onolder = stale; late[i] = late[i] && stale
		fi
	:: else ->
		HOLDS(TOLD, !(reaped & (1 << runof[i])));
		if :: owner != 0 -> withdraw() :: else fi;
		grant(i, stale, again)
	fi;
	if
	:: stale -> older[i] = end
	:: !stale && lost -> unread[i] = 0
	:: else -> unread[i] = 0; token[i] = 1; phase[i] = held
	fi
}

/* ================================ checks: liveness/check.go ================================ */

#if defined(WITHOUT_RESUME_CONFIRM)
#define sure (confirmed || resumed)
#elif defined(WITHOUT_FIRST_CONFIRM)
#define sure (confirmed || !resumed)
#else
#define sure confirmed
#endif
#ifdef WITHOUT_HOLD_CEILING
#define tooold(i) false
#else
#define tooold(i) (aged && status == open && newrun == runof[i])
#endif
#define possible(i) (owns(i) && (hold == 0 || hold == (i)+1) && !tooold(i))
#define promisable(i) (possible(i) && sure)

inline promise(i) {
#if !defined(WITHOUT_HOLD)
	hold = (i)+1
#endif
#if !defined(WITHOUT_HOLD) && !defined(WITHOUT_HOLD_FILE)
	; filed = (i)+1
#endif
#ifdef WITHOUT_HOLD
	skip
#endif
}

/* ================================ the finalizers ================================ */

inline finalize(i) { /* what cannot be undone, and the closing of the job, whatever the row says */
	HOLDS(KEPT, status == open && newrun == runof[i]);
	HOLDS(ONCE, !finalized);
	status = done; finalized = 1; aged = 0; otherversion = judging;
	window[i] = 0; rightful = 0
}

#define me _pid
#ifdef SPARE
#define acts (phase[me] == held && status == open && newrun == runof[me])
#define checks false
#else
#define acts window[me]
#define checks (phase[me] == held)
#endif

active [2] proctype Finalizer() {
	do
	:: d_step { life[me] == running && phase[me] == away && up ->
		phase[me] = asking; unread[me] = 1;
		printf("finalizer %d connects and marks the job\n", me) }
	:: d_step { life[me] == running && checks ->
		phase[me] = checking; unread[me] = 1;
		printf("finalizer %d checks\n", me) }
	:: d_step { life[me] == running && phase[me] != away && revoked[me] -> told(me) }
	:: d_step { life[me] == running && acts && !locked ->
		finalize(me);
		printf("finalizer %d finalizes the job, and clears\n", me);
		hangup(me);
		if :: older[me] == end || older[me] == check -> older[me] = clear :: else fi;
		quit(me, nobody) }
	:: d_step { life[me] == running && acts && !locked ->
		finalize(me);
		printf("finalizer %d finalizes the job, and goes without a clear\n", me);
		quit(me, nobody) }
	od
}

/* ================================ the sessions: liveness/conn.go, handle.go ================================ */

#undef me
#define me (_pid-2)
#define asks(again) (up && phase[me] == asking && unread[me] && token[me] == again)
#define stales(again) (up && (!again && older[me] == mark || again && older[me] == resume))

#ifdef WITHOUT_PROOF
#define gone exited
#else
#define gone hungup
#endif

active [2] proctype Server() {
	do
	/* marks */
	:: d_step { asks(0) && !rejected(me, 0) && (returns(me) || grantable(me, 0)) ->
		printf("finalizer %d is granted the job\n", me); take(me, 0, 0, 0) }
	:: d_step { LOSSES && asks(0) && !rejected(me, 0) && (returns(me) || grantable(me, 0)) ->
		printf("finalizer %d is granted the job; the reply gets lost\n", me); take(me, 0, 0, 1) }
	:: d_step { asks(1) && !rejected(me, 1) && (returns(me) || grantable(me, 1)) ->
		printf("finalizer %d resumes the job\n", me); take(me, 0, 1, 0) }
	:: d_step { LOSSES && asks(1) && !rejected(me, 1) && (returns(me) || grantable(me, 1)) ->
		printf("finalizer %d resumes the job; the reply gets lost\n", me); take(me, 0, 1, 1) }
	:: d_step { asks(1) && !rejected(me, 1) && !owns(me) -> /* Registry.believes, and in the client refuse */
		printf("nothing is known of finalizer %d's token any more: it will mark afresh\n", me);
		token[me] = 0; newest[me] = 0; if :: older[me] != resume -> junior = OTHER(me) :: else fi }
	:: d_step { up && phase[me] == asking && unread[me] && rejected(me, token[me]) -> told(me) }
	:: d_step { up && phase[me] == asking && unread[me] && !rejected(me, token[me]) && conflict(me, token[me]) && !newest[me] ->
		if
		:: status == open && newrun == runof[me] -> newest[me] = 1; printf("the database says that run %d is the newest\n", newrun)
		:: else -> told(me)
		fi }
	/* marks from before it connected again */
	:: d_step { stales(0) ->
		printf("finalizer %d's mark is read from its older connection\n", me);
		if
		:: !rejected(me, 0) && !conflict(me, 0) && (returns(me) || grantable(me, 0)) -> take(me, 1, 0, 1)
		:: else -> older[me] = end
		fi }
	:: d_step { stales(1) ->
		printf("finalizer %d's resumption is read from its older connection\n", me);
		if
		:: !rejected(me, 1) && !conflict(me, 1) && (returns(me) || grantable(me, 1)) -> take(me, 1, 1, 1)
		:: else -> older[me] = end
		fi }
	/* checks */
	:: d_step { up && phase[me] == checking && unread[me] && revoked[me] -> told(me) }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !(owns(me) && !onolder) ->
		printf("finalizer %d is no owner in this session\n", me); phase[me] = asking }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && possible(me) && !sure && !wants ->
		wants = 1 }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && promisable(me) ->
		promise(me); unread[me] = 0; phase[me] = held; window[me] = 1;
		printf("finalizer %d is promised a hold\n", me);
		HOLDS(ALONE, !window[OTHER(me)]);
		HOLDS(KEPT, status == open && newrun == runof[me]) }
	:: d_step { LOSSES && up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && promisable(me) ->
		promise(me); unread[me] = 0;
		printf("finalizer %d is promised a hold; the reply gets lost\n", me) }
	:: d_step { up && older[me] == check ->
		if :: !revoked[me] && onolder && promisable(me) -> promise(me) :: else fi;
		older[me] = end }
	:: d_step { up && older[me] == clear ->
		older[me] = end;
		if
		:: owns(me) && onolder ->
			loseowner(); othertoken = claimed;
			if :: hold == me+1 -> hold = 0 :: else fi;
			if :: filed == me+1 -> filed = 0 :: else fi
		:: else
		fi }
	/* the end of the connection; the exit of the process */
	:: d_step { up && older[me] == end ->
		if
		:: owns(me) && onolder -> older[me] = gone; printf("finalizer %d's connection has ended\n", me)
		:: else -> older[me] = absent; tidy(me)
		fi }
	:: d_step { up && life[me] == dead && owns(me) && onolder && (older[me] == end || older[me] == hungup) ->
		older[me] = exited; printf("finalizer %d is proven dead\n", me) }
	od
}
#undef me

/* Asks the database about who owns the job, and has the registry observe the answer: liveness/asker.go,
 * observe.go. The rows are read in one step and observed in another. */
#ifdef WITHOUT_SETTLING
#define settled true
#else
#define settled (!adriftbefore)
#endif
#define openunder(i) (status == open && newrun == runof[i])

active proctype Asker() {
	do
	:: d_step { up && owner != 0 && asked == 0 && !openunder(owner-1) -> asked = 1 }
	:: d_step { up && owner != 0 && asked == 0 && openunder(owner-1) && wants && settled -> asked = 2 }
	:: d_step { up && asked == 2 ->
		asked = 0; wants = 0; confirmed = 1; printf("the database confirms finalizer %d\n", owner-1) }
	:: d_step { up && asked == 1 -> printf("the database does not confirm finalizer %d\n", owner-1); withdraw() }
	od
}

/* ================================ the reaper ================================ */

#ifdef WITHOUT_BACKSTOP
#define backstop false
#else
#define backstop aged
#endif
#ifdef WITHOUT_WARMUP
#define warming false
#else
#define warming warm
#endif
/* Policy.Decide: the backstop; the owner is dead; nobody owns it. */
#define due (status == open && hold == 0 && (backstop || \
	owner != 0 && runof[owner-1] == newrun && state == died || \
	!(owner != 0 && runof[owner-1] == newrun) && !warming))

#ifdef WITHOUT_ROW_CAS
#define sameversion true
#else
#define sameversion (!otherversion)
#endif
#ifdef WITHOUT_OWNER_CAS
#define sameclaim true
#else
#define sameclaim (hold == 0 && (alone || owner == judgedowner && state == judgedstate && !othertoken)) /* Judged.Stands */
#endif

#define protected(i) (rightful == (i)+1 && (life[i] == running || life[i] == stopped) && !late[i])
#define spared (aged || !protected(0) && !protected(1))

inline forget() { alone = 0; judgedowner = 0; judgedstate = 0; othertoken = 0; otherversion = 0 }

inline revoke() { /* Registry.Revoke */
	HOLDS(SPARED, spared);
	printf("whoever owns the job is revoked (%d)\n", owner);
	rightful = 0; reaping = newrun;
	if :: owner != 0 -> withdraw() :: else fi;
	forget()
}
inline giveup() {
	HOLDS(UNTOUCHED, reaping == 0);
	if :: tx == updated -> tx = none :: else fi;
	reaper = resting; forget()
}
inline settle() { /* Registry.Settle */
	reaped = reaped | (1 << reaping); reaping = 0;
	reaper = resting; forget()
}

active proctype Reaper() {
	do
	:: d_step { up && reaper == resting && due ->
		reaper = judged; alone = backstop;
		printf("the reaper judges: reap (owner %d, backstop %d)\n", owner, alone);
		if :: !alone -> judgedowner = owner; judgedstate = state :: else fi }
	:: d_step { up && FAULTS && (reaper == judged || reaper == revoking) -> giveup(); printf("the database fails\n") }

	/* lock, compare the version, update; then revoke; then commit: reaper/transact.go */
#ifdef WITHOUT_ORDER_REVOKE_FIRST
	:: d_step { up && reaper == judged && sameclaim -> revoke(); reaper = revoking }
	:: d_step { up && reaper == revoking && tx == none && sameversion -> tx = updated; reaper = committing }
	:: d_step { up && reaper == revoking && tx == none && !sameversion -> giveup() }
#else
	:: d_step { up && reaper == judged && tx == none && !sameversion -> giveup() }
	:: d_step { up && reaper == judged && tx == none && sameversion ->
		tx = updated; reaper = revoking; printf("the reaper locks and updates the row\n") }
#ifdef WITHOUT_ORDER
	:: d_step { up && reaper == revoking -> reaper = committing }
#else
	:: d_step { up && reaper == revoking && !sameclaim -> giveup() }
	:: d_step { up && reaper == revoking && sameclaim -> revoke(); reaper = committing }
#endif
#endif
	:: d_step { up && (reaper == committing || reaper == retrying) ->
		tx = sent; reaper = awaiting; printf("the reaper sends the commit\n") }
	:: d_step { up && reaper == awaiting && tx == applied ->
		tx = none;
#ifdef WITHOUT_ORDER
		revoke();
#endif
		settle() }

	/* the outcome is not known: reaper/pending.go */
	:: d_step { up && reaper == awaiting && tx == refused -> tx = none; reaper = pending; printf("the commit fails\n") }
	:: d_step { up && FAULTS && reaper == awaiting ->
		tx = (tx == sent -> adrift : none);
		reaper = pending; printf("the commit has no known outcome\n") }
#ifndef WITHOUT_RETRY
	:: d_step { up && reaper == pending && tx == none ->
		if
		:: status == open && newrun == reaping -> tx = updated; reaper = retrying; printf("the reaper tries again\n")
		:: else -> settle()
		fi }
#endif
	od
}

/* ================================ the database, and the orchestrator ================================ */

inline apply() {
	HOLDS(KEPT, !window[0] && !window[1]);
	HOLDS(SPARED, spared);
	printf("the reap of run %d is committed\n", newrun);
	status = (newrun == RUNS -> failed : queued); aged = 0; rightful = 0
}
inline begin(i) {
	life[i] = running; runof[i] = newrun; revoked[i] = 0;
	printf("finalizer %d begins, for run %d\n", i, newrun)
}
inline claim(i) { status = open; newrun++; otherversion = judging; begin(i) }

active proctype Database() {
	do
	:: d_step { tx == sent -> apply(); tx = applied }
	:: d_step { tx == sent && FAULTS -> tx = refused }
	:: d_step { tx == adrift -> apply(); tx = none }
	:: d_step { tx == adrift || tx == orphan -> tx = none }
	/* places are alike: the first that is vacant will do */
	:: d_step { status == queued && !locked && vacant(0) -> claim(0) }
	:: d_step { status == queued && !locked && !vacant(0) && vacant(1) -> claim(1) }
	:: d_step { RIVAL && status == open && vacant(0) -> begin(0) }
	:: d_step { RIVAL && status == open && !vacant(0) && vacant(1) -> begin(1) }
	od
}

/* ================================ time ================================ */

#if defined(SPARE) && !defined(WITHOUT_FRESH_LEASES)
#define returning(i) (life[i] == running && !late[i] && (phase[i] == away || phase[i] == asking))
#else
#define returning(i) false
#endif
#define awaited(i) (rightful == (i)+1 && !owns(i) && life[i] == running && !late[i])

active proctype Clock() {
	do
	:: d_step { up && hold != 0 -> /* in memory and in the file */
		who = hold-1; window[who] = 0; hold = 0; filed = 0;
		printf("finalizer %d's hold ends\n", who); tidy(who); who = 0 }
	:: d_step { up && hold != 0 && filed == hold -> /* in the file it was rounded up */
		who = hold-1; window[who] = 0; hold = 0;
		printf("finalizer %d's hold ends, but in the file\n", who); who = 0 }
	:: d_step { filed != 0 && hold == 0 ->
		who = filed-1; window[who] = 0; filed = 0;
		printf("finalizer %d's hold ends in the file\n", who); tidy(who); who = 0 }
	:: d_step { window[0] && hold != 1 && filed != 1 -> window[0] = 0; tidy(0) }
	:: d_step { window[1] && hold != 2 && filed != 2 -> window[1] = 0; tidy(1) }
	:: d_step { up && state == reconnecting && !returning(owner-1) ->
		printf("finalizer %d's lease lapses: it is lost\n", owner-1); loseowner() }
	:: d_step { up && warm && !awaited(0) && !awaited(1) -> warm = 0; printf("the warm-up ends\n") }
	od
}

active proctype Age() {
	do
	:: d_step { status == open && !aged -> aged = 1; printf("the job is past its ceiling\n") }
	od
}

/* ================================ the watchdog's death and start ================================ */

inline crash() {
	printf("the watchdog dies\n");
	up = 0; warm = 0; owner = 0; onolder = 0; wants = 0; confirmed = 0; resumed = 0; asked = 0; hold = 0; reaped = 0;
	revoked[0] = 0; revoked[1] = 0; newest[0] = 0; newest[1] = 0;
	reaping = 0; reaper = resting; forget();
	if /* what a connection had not sent is rolled back; what it had may yet be done */
	:: tx == updated -> tx = orphan
	:: tx == sent -> tx = adrift
	:: tx == applied || tx == refused -> tx = none
	:: else
	fi;
	phase[0] = away; unread[0] = 0; older[0] = absent; late[0] = late[0] || life[0] == stopped; tidy(0);
	phase[1] = away; unread[1] = 0; older[1] = absent; late[1] = late[1] || life[1] == stopped; tidy(1)
}

active proctype Keeper() {
	do
	:: d_step { !up ->
		printf("the watchdog starts\n");
		up = 1; warm = 1; hold = filed }
	od
}

/* ================================ faults ================================ */

#define stays(i) (owns(i) && !onolder && phase[i] != away)
inline stop(i) {
	printf("finalizer %d is stopped\n", i);
	life[i] = stopped; late[i] = late[i] || !stays(i)
}
inline die(i) { printf("finalizer %d dies\n", i); quit(i, dead) }

active proctype Faults() {
	do
	:: d_step { CRASHES && up -> crash() }
	:: d_step { LOSSES && life[0] == running && phase[0] != away -> printf("finalizer 0 loses its connection\n"); hangup(0) }
	:: d_step { LOSSES && life[1] == running && phase[1] != away -> printf("finalizer 1 loses its connection\n"); hangup(1) }
	:: d_step { FAULTS && (life[0] == running || life[0] == stopped) -> die(0) }
	:: d_step { FAULTS && (life[1] == running || life[1] == stopped) -> die(1) }
	:: d_step { STOPS && life[0] == running -> stop(0) }
	:: d_step { STOPS && life[1] == running -> stop(1) }
	:: d_step { life[0] == stopped -> life[0] = running; printf("finalizer 0 goes on\n") }
	:: d_step { life[1] == stopped -> life[1] = running; printf("finalizer 1 goes on\n") }
#ifdef LIVE
	:: d_step { !calm -> calm = 1; printf("no more faults\n") }
#endif
	od
}

#ifdef LIVE
ltl ENDED { (<> calm) -> <> (status == done || status == failed) }
#endif
