"""Human study: pairs of replies, blinded, put before people, and what their answers say."""
