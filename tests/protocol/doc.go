// Package protocol holds the vectors of the socket's protocol, which the server and the client of each language
// are run against, and runs them against the server.
//
// A file is a list of conversations, one JSON object a line. A line with "case" begins the next one; "rows" are
// the jobs that the database holds then (job, run, and a status other than running). Each line that follows
// belongs to the connection "on", or else "a", which is made when it is first named:
//
//	{"send":{…}}                 this object is sent as one line
//	{"raw":"…","times":2}        this text is sent as it is, so many times, and a newline unless "open"
//	{"hex":"…"}                  the same for bytes that are no text
//	{"reply":{…}}, {"event":{…}} the next line of the watchdog is a reply, or an event, with these members
//	{"closed":true}              the watchdog has hung up
//	{"hangup":true}              the peer hangs up
//	{"differ":["$a","$b"]}       two variables stand for different values
//
// A member whose value begins with $ is a variable: it stands for what was found first, and must be found again
// later; "$_" is any value. A message has the members that are named and no others, but for "message", a
// text for people, unless "..." is among them.
//
// The files in client are for clients: see answers_test.go.
package protocol
