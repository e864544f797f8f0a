// The one Trusted Types policy. What a fragment brings in must be our own escaped page: never a script, a handler or a frame.
if (window.trustedTypes) trustedTypes.createPolicy("default", {
  createHTML: (s) => { if (/<script|\son\w+\s*=|javascript:|<i?frame|<object|<embed/i.test(s)) throw new TypeError("refused markup"); return s; },
});
