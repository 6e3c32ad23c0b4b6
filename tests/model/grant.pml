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
