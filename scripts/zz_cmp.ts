import { readFileSync } from 'node:fs';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
const texts = JSON.parse(readFileSync('/tmp/texts.json','utf8')); const ref = JSON.parse(readFileSync('/tmp/ref_json.json','utf8'));
for (const n of Object.keys(ref)) {
  const dir='/work/shared/tokenizers/'+n+'/'; const t0=performance.now();
  let tok; try { tok = loadTokenizer(JSON.parse(readFileSync(dir+'tokenizer.json','utf8'))); } catch (e) { console.log(n, String(e)); continue; }
  const t1=performance.now(); let bad=0; const ex: string[]=[];
  texts.forEach((t: string,i: number)=>{ let ids; try { ids=tok.encode(t).ids } catch(e) { ids=[String(e)] } if (JSON.stringify(ids)!==JSON.stringify(ref[n][i])) { bad++; if(ex.length<6) { const r=ref[n][i]; let k=0; while(ids[k]===r[k]) k++; ex.push(JSON.stringify(t.slice(0,60))+' @'+k+' got '+JSON.stringify(ids.slice(k,k+6))+' '+ids.slice(k,k+6).map((x:any)=>tok.idToToken(x))+' exp '+JSON.stringify(r.slice(k,k+6))+' '+r.slice(k,k+6).map((x:any)=>tok.idToToken(x))); } } });
  console.log(n, 'differ', bad, 'of', texts.length, Math.round(t1-t0), Math.round(performance.now()-t1)); for (const e of ex) console.log('   ',e);
}
