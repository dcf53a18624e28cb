"""
The fault catalogue: 186 things that go wrong between a vendor and a notebook, and the outcome of each.

One line per case: id, fault, verdict, what happens. `survived`: the result is right and complete, at the cost of at
most a wait or another request; if that does not help, a typed error. `typed error`: one of `vendorkit.errors`, at once.
`not applicable`: it cannot happen here, and why.
"""

from __future__ import annotations

from typing import Final, NamedTuple

VERDICTS: Final = ("survived", "typed error", "not applicable")
GROUPS: Final = {
    "T": "Transport",
    "P": "Data",
    "A": "Authentication",
    "S": "Secrets",
    "L": "TLS",
    "W": "Widgets and disk",
    "N": "Company networks and strangers' folders",
    "X": "Processes, signals and limits",
}


class Case(NamedTuple):
    """One fault: its id, what it is, its outcome, and how."""

    id: str
    fault: str
    verdict: str
    how: str


_TRANSPORT = """
T01 | the connection is reset within a body | survived | sent again on a new connection
T02 | fewer bytes than the Content-Length says | survived | sent again
T03 | a JSON body without a length that ends early | survived | sent again; `MalformedAnswer` if TLS was closed
T04 | a stream that ends early, at a line end | typed error | `IncompletePull`: lines carry index and total
T05 | a chunked body without its last chunk | survived | sent again
T06 | gzip cut short, its length announced as whole | survived | sent again
T07 | gzip without its trailer | survived | sent again, because nothing confirms that it is complete
T08 | gzip with a wrong checksum, or no gzip at all | survived | sent again, then `MalformedAnswer`
T09 | a small gzip body that unpacks to hundreds of megabytes | typed error | `MalformedAnswer` at the size limit
T10 | a body that trickles | typed error | `DeadlineExceeded`: there is a deadline, not only a timeout for silence
T11 | no answer | survived | sent again
T12 | the caller set no timeout | survived | a session limits connecting, silence and the whole call
T13 | 429 with Retry-After in seconds | survived | waits up to a minute; the wait can be cancelled
T14 | 429 or 503 with Retry-After as a date | survived | compared with the Date of the response, not with this clock
T15 | Retry-After that is negative, broken, empty, impossible | survived | ignored; the usual pause applies
T16 | Retry-After of hours | typed error | `RateLimited` or `VendorUnavailable` at once, with `retry_after_s`
T17 | 503 for ever | typed error | `VendorUnavailable` after four attempts; a download returns the received rows
T18 | 502 with HTML that is labelled as JSON | survived | sent again, because the status is checked first
T19 | 200 with a page of HTML | survived | sent again, then `MalformedAnswer` with its first words
T20 | good data under a wrong Content-Type | survived | read
T21 | a redirect to another host | typed error | `OriginRefused`; nothing is sent there
T22 | a redirect to another port | typed error | `OriginRefused`
T23 | a redirect from https to http | typed error | `OriginRefused`
T24 | a redirect of the token request | typed error | not followed, because it would carry key and secret along
T25 | a redirect of a POST | typed error | `OriginRefused`
T26 | redirects in a circle | typed error | `OriginRefused` after three
T27 | a redirect to a file | typed error | `OriginRefused`
T28 | a `next` link to another host | typed error | `OriginRefused` before it is signed
T29 | a kept-alive connection that died | survived | a read is signed and sent again; a write is an error
T30 | two Content-Length headers | typed error | `TransportError`
T31 | a garbled status line, or none | survived | sent again
T32 | a header of 70 kB, or a hundred headers | typed error | `TransportError`
T33 | 204 or an empty body instead of data | survived | sent again, then `MalformedAnswer`; at once for a stream
T34 | a .netrc entry for the host | survived | not read
T35 | proxies | survived | one tunnel, TLS end to end; a refusal is `ProxyError` with what to do
T36 | host unknown, refused or unreachable | typed error | `VendorUnavailable`; the message has no query string
T37 | gzip followed by NULs or a line end | survived | read; anything else that follows is damage
"""

_DATA = """
P01 | a byte order mark | survived | read
P02 | bytes that are not UTF-8 | typed error | `MalformedAnswer` with the position of the byte
P03 | text without a charset | survived | read as UTF-8, the default of JSON and XML
P04 | a name twice in one object | typed error | `MalformedAnswer` with the name
P05 | NaN, Infinity, 1e999 | typed error | `MalformedAnswer`
P06 | an integer of 5,000 digits | survived | kept as text in `…__raw`
P07 | JSON nested 200,000 deep | typed error | `MalformedAnswer`
P08 | `null` or a list instead of an object | typed error | `MalformedAnswer`
P09 | ids past 2**53 next to nulls | survived | every digit is kept: ids are texts, integers nullable
P10 | codes with leading zeros | survived | codes are texts
P11 | a column named `modified` | survived | kinds are declared, not guessed from names
P12 | a changed type, a missing or new field | survived | null, raw text or new column, with a warning
P13 | dates in mixed forms, times without a zone | survived | UTC; values that do not fit are kept as text
P14 | an empty page among full ones | survived | dtypes are declared
P15 | a page that is null or lacks its records | typed error | `MalformedAnswer`
P16 | a record on two pages | survived | copies are dropped; if they differ, read again, then `complete: False`
P17 | a record that slipped between two pages | typed error | `IncompletePull` if rows and total differ, or read again
P18 | a total that changes during the download | survived | read again, at most twice; then a warning, `complete: False`
P19 | `next` links in a circle | typed error | `IncompletePull`
P20 | endless `next` links, or links to empty pages | survived | ends if all records arrived, else `IncompletePull`
P21 | Unicode line separators in the text of a line | survived | lines only end at a line feed
P22 | CR LF split between two chunks | survived | read
P23 | a broken line in the middle, an error as a line | typed error | `MalformedAnswer` with the line's number
P24 | a last line without a line feed | survived | read if it is complete JSON, else `MalformedAnswer`
P25 | XML entities that expand without limit | typed error | `MalformedAnswer`, at once
P26 | XML entities from files and the network | typed error | `MalformedAnswer`; nothing is opened
P27 | any DOCTYPE | typed error | `MalformedAnswer`
P28 | entities whose text a parser would drop | typed error | `MalformedAnswer`
P29 | XML nested 200,000 deep | typed error | `MalformedAnswer`
P30 | XML that ends early | typed error | `MalformedAnswer`: nothing is repaired
P31 | XML in UTF-7 or another rare encoding, or not in the one that it declares | typed error | `MalformedAnswer`
P32 | text that a spreadsheet takes for formulas | survived | disarmed in CSV, text in Excel files
"""

_AUTHENTICATION = """
A01 | a token that expires during a download | survived | renewed once; the request is sent again
A02 | 401 for ever | typed error | `CredentialsRefused` after one renewal
A03 | 401 on a token that another thread has replaced | survived | the new one is used; no third one is fetched
A04 | many threads on an expired token | survived | one token request
A05 | a renewal that fails while the token is valid | survived | the old one is used, with a warning
A06 | a token that is expired on arrival | typed error | once; no loop
A07 | the token endpoint returns the same token again | survived | renewals have a minimum interval
A08 | a clock that jumps | survived | lifetimes are on the monotonic clock; a 401 renews in any case
A09 | no `expires_in` | survived | the documented ten minutes, with a warning
A10 | `expires_in` of 0, negative, or not a number | typed error | `AuthError`; the token is not kept
A11 | `expires_in` as text or fraction | survived | read
A12 | `expires_in` of millennia | survived | clamped
A13 | `token_type` missing, in odd case, or another | typed error | only another type is refused
A14 | a token that is empty or cannot be in a header | typed error | before it is used
A15 | the token endpoint refuses the key | typed error | not repeated; its text is not echoed
A16 | the token endpoint fails | typed error | sent again within the call; the status is kept
A17 | HTML, a list or an error at 200 instead of a token | typed error | one error, nothing kept
A18 | 403 | typed error | `NotAllowed`; no renewal, no retry
A19 | a colon in a user name of Basic | typed error | at once; allowed in passwords
A20 | credentials beyond ASCII | survived | UTF-8, as RFC 7617 defines
A21 | a key with a line end or blank | typed error | refused without an echo
A22 | a signed request that is sent again later | survived | each attempt is signed anew
A23 | a signature over a query in another order or escaping | not applicable | no vendor signs queries: only JWTs
A24 | a key that is too short, an invalid lifetime | typed error | at the call; other algorithms are not supported
A25 | a wrong clock, so that signatures are too new | typed error | the vendor's refusal; a leeway when reading
A26 | a nonce that the server calls stale | survived | one more request
A27 | a nonce refused without `stale` | survived | one more request
A28 | a nonce that expires during a download | survived | one more request
A29 | a wrong password of Digest | typed error | two requests, for all threads, once
A30 | several challenges | survived | each is read separately; the strongest supported one is answered
A31 | challenges that cannot be answered | typed error | `UnsupportedChallenge` that names the parameter
A32 | a challenge from another origin | survived | not answered
A33 | a nonce used by another process, a count that wraps | survived | a new challenge
A34 | a cookie with the challenge | survived | it is sent with the answer
A35 | paths with odd characters | survived | the signed address is the sent one, byte for byte
A36 | a body that can be read once | typed error | `UsageError` before anything is sent
A37 | two clients of one vendor | survived | they share no token and no nonce
A38 | servers behind one address that do not share nonces | typed error | `VendorUnavailable`, which is not remembered
A39 | a redirect within the token's origin | survived | the token is sent along
A40 | a request to another origin than the token's | typed error | `UsageError`; nothing is sent there
A41 | a token endpoint that asks to wait, in seconds or as a date | typed error | with `retry_after_s`; not sent earlier
A42 | a signed token that is not valid yet | typed error | `SignatureInvalid`, beyond a leeway
A43 | a notification that is delivered again in another form | survived | marked as repeated
"""

_SECRETS = """
S01 | .env missing, empty, a folder, unreadable | typed error | `SettingsError` with the names, never values
S02 | Windows line endings, a byte order mark, `export` | survived | read
S03 | other encodings, NUL | typed error | `SettingsError` with the line
S04 | an open quote, no `=`, a name twice | typed error | `SettingsError` with the line
S05 | values with `$`, `#`, `=`, quotes | survived | taken literally; a # that could be a comment is refused
S06 | a file that others can read | survived | a warning with the command that fixes it
S07 | a link, or a file that git would track | survived | a warning
S08 | another .env in a parent folder | survived | only the one in the current folder is read
S09 | environment and file differ | survived | the environment wins, and the source is reported
S10 | a placeholder | typed error | `SettingsError` by name
S11 | a secret in an error's text, attributes, causes | survived | masked or absent
S12 | a secret in a log, or in http.client's debug output | survived | absent
S13 | a secret in a notebook, a widget's state, a traceback | survived | absent
S14 | a secret in a pickle, a repr, a cache, Parquet | survived | refused, masked or absent
S15 | a secret in a URL | typed error | refused; headers only
S16 | a vendor that echoes a secret | survived | redacted
S17 | a secret in base64, percent escapes, hexadecimal | survived | redacted
S18 | a crash report with the locals of frames | survived | masked wrappers; no frame of vendorkit holds the text
S19 | a vendor that echoes a secret in escapes, or where text is cut | survived | redacted
S20 | a vendor that echoes a token or the answer to its challenge | survived | redacted, in bodies and headers
S21 | a message with characters that rewrite a terminal or reverse text | survived | escaped
"""

_TLS = """
L01 | another certificate authority | typed error | `TlsError`, before a byte of the request
L02 | another authority of the same name | typed error | `TlsError`
L03 | an expired certificate | typed error | `TlsError`
L04 | a certificate for another host | typed error | `TlsError`
L05 | a missing intermediate | typed error | `TlsError` that says so
L06 | an approved root, another issuer | typed error | `TlsError`, if `MEDIAGENIX_ISSUER` requires one
L07 | only TLS 1.1 | typed error | `TlsError`
L08 | verification switched off | typed error | `UsageError`
L09 | certificate bundles of the environment with another authority | survived | not read
L10 | through a proxy | survived | the same checks through the tunnel
L11 | plain http | typed error | `OriginRefused`
L12 | a self-signed leaf of the right name, not valid yet, revoked | typed error | `TlsError`; revocation is not checked
L13 | an approved root that leaves certifi | survived | reported before a download
"""

_WIDGETS = """
W01 | a callback that raises | survived | the error is shown under the panel
W02 | a click in a test hides the error | survived | tests call methods and read the status
W03 | three quick clicks | survived | one task at a time
W04 | an interrupt within a callback | survived | the work is in a thread; Cancel ends it
W05 | an interrupt that a background thread does not receive | survived | it checks an event between pages and in waits
W06 | a cell that is run again | survived | a new panel, one call per click
W07 | a secret typed into a notebook | survived | no panel has a field for one
W08 | output that is not captured without a browser | survived | panels write to widgets, not to the output
W09 | a kernel that dies during a save, two kernels on one folder | survived | it continues; the second is refused
W10 | a full disk | typed error | `IncompletePull`; existing data is kept
W11 | a truncated Parquet file | survived | ignored and downloaded again
W12 | continuing after a crash | survived | equal to an uninterrupted download
W13 | a read-only folder, a long path, a name beyond ASCII | typed error | before the download begins
W14 | Cancel while waiting as Retry-After says | survived | within half a second
"""
_NETWORKS = """
N01 | an address or CA file in a stranger's settings file | typed error | for credentials of the same file only
N02 | a copy of that file in the environment | typed error | counts as the file
N03 | git's settings in a folder name a program | survived | no program is started
N04 | lines of other programs in the settings file | survived | only lines with vendorkit's names are checked
N05 | a settings file that is a pipe, a device or huge | typed error | time and size are limited
N06 | a value copied with quotes, blanks or invisible characters | typed error | reported before anything is sent
N07 | credentials from a keyring or vault | survived | `settings=` replaces all sources, and is shown nowhere
N08 | a network that is reached through a proxy | survived | a tunnel, TLS end to end; its password is masked
N09 | a proxy that refuses, breaks off or never answers | typed error | `ProxyError` with the proxy and what to do
N10 | a proxy's address that cannot be used | typed error | refused without an echo
N11 | hosts without a proxy | survived | `NO_PROXY` in all its forms; never for this machine
N12 | a gateway that inspects TLS | survived | with its root in the CA file; else `TlsError` names who signed
N13 | the same in front of Mediagenix | typed error | `TlsError` names who signed; the authority stays pinned
N14 | a CA file that is not one | typed error | `SettingsError` with the file
N15 | a library that replaces the TLS context of the process | survived | only vendorkit's own roots
"""

_OUTSIDE = """
X01 | a process forked while its client is in use | survived | its own connections, nonces, tokens and budgets
X02 | a fork during a token request, a negotiation or a wait | survived | the child does not wait for the parent
X03 | a stream that a forked child continues to read | typed error | `TransportError` in the child only
X04 | pools that pickle: forkserver, loky | typed error | a client is not pickled; each worker connects
X05 | a signal handler that raises during a call | survived | raised at once; no frame shows what was sent
X06 | an exception that another thread raises in a worker | survived | raised at once
X07 | no thread can be started | survived | one call connects in the caller's thread; a download is a `UsageError`
X08 | a call that ended during authentication, its traceback kept | survived | no call waits for its nonce or token
X09 | a rate budget whose file another process keeps locked | survived | waits until deadline or Cancel
X10 | a clock that is set back | survived | the rate budget blocks no call
X11 | headers of megabytes, endless cookies | survived | only some kilobytes are kept or sent back
"""


def _read(text: str) -> list[Case]:
    return [Case(*(part.strip() for part in line.split("|"))) for line in text.strip().splitlines()]


CASES: Final = [
    case
    for text in (_TRANSPORT, _DATA, _AUTHENTICATION, _SECRETS, _TLS, _WIDGETS, _NETWORKS, _OUTSIDE)
    for case in _read(text)
]

# Each is covered by tests that say "Promise 1" and so on.
PROMISES: Final = (
    "A download is complete, or says that it is not: a response cut at any byte is never taken for complete.",
    "No secret is sent to another origin.",
    "No secret is in any output: errors, logs, notebooks, pickles, files.",
    "One token request per expiry, however many threads; two requests for a wrong password.",
    "Digest equals the RFCs' test vectors; no thread gets a final 401 from strict servers; an expiry costs a request.",
    "Every wait is bounded, visible and cancellable.",
    "Only approved roots are accepted, also after calls and whatever the environment says.",
    "Every bad input gives one typed error, never a bare built-in exception.",
    "Tests reach only loopback, in a clean environment.",
    "The mock servers agree with independent clients, and this client agrees with independent servers.",
)
