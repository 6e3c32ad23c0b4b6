// Package release holds what is handed out besides the source: the archives of make release, and the unit for systemd.
package release
