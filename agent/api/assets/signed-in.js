// The last page of the sign-in popup. It asks for a token for the embedded frame that opened this window and hands it
// over: to a window of this very origin, and to no other.
"use strict";

async function handOver() {
  const answer = await fetch("/api/frame-token", { method: "POST", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const { token, expires_at } = await answer.json();
  window.opener.postMessage({ type: "countersign.token", token, expires_at }, location.origin);
  window.close();
}

// Without an opener (the provider's pages cut the tie, or the page was opened by hand) the words on the page stand.
if (window.opener) {
  handOver().catch(() => {
    document.getElementById("says").textContent =
      "The page you came from could not be told. Close this window and sign in there again.";
  });
}
