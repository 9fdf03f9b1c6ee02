// Writes the sources of a synthetic app with two dozen lazily loaded pages.
//
//   node generate.mjs [oneline] [pageline] [addpage] [multi]
//
// The words say what has changed since the first version. Everything follows from fixed seeds, so
// that two machines make the same app.
import fs from 'fs';

const changed = new Set(process.argv.slice(2));
fs.mkdirSync('src/pages', { recursive: true });
fs.mkdirSync('public/assets', { recursive: true });

let seed = 12345;
const random = () => {
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};
const below = (n) => Math.floor(random() * n);
const words =
  'order invoice customer product stock shelf driver route parcel refund coupon account profile message inbox report chart export filter search total amount status pending paid shipped cancelled return address city country phone email note comment rating photo upload scan barcode price tax discount currency language theme setting'.split(
    ' ',
  );
const word = () => words[below(words.length)];

const pages = 24 + (changed.has('addpage') ? 1 : 0);

const texts = {};
for (let i = 0; i < 600; i++) texts['k' + i] = Array.from({ length: 4 + below(8) }, word).join(' ');
fs.writeFileSync(
  'src/i18n.js',
  'import i18n from "i18next";\nexport const en=' +
    JSON.stringify(texts, null, 1) +
    ';\ni18n.init({lng:"en",resources:{en:{translation:en}}});\nexport const t=k=>i18n.t(k);\n',
);

fs.writeFileSync(
  'src/api.js',
  `import {z} from 'zod';import {format,addDays,parseISO,differenceInDays,formatDistance} from 'date-fns';
export const Item=z.object({id:z.string(),title:z.string(),at:z.string(),amount:z.number()});
export async function load(kind){const res=await fetch('/api/v${changed.has('oneline') ? 2 : 1}/'+kind);const j=await res.json();return z.array(Item).parse(j)}
export const when=s=>format(parseISO(s),'yyyy-MM-dd');export const ago=s=>formatDistance(parseISO(s),new Date());
export const due=s=>format(addDays(parseISO(s),14),'PP');export const days=(a,b)=>differenceInDays(parseISO(a),parseISO(b));\n`,
);

const components =
  'IonPage IonHeader IonToolbar IonTitle IonContent IonList IonItem IonLabel IonButton IonButtons IonBackButton IonInput IonSelect IonSelectOption IonToggle IonCard IonCardContent IonCardHeader IonCardTitle IonSearchbar IonRefresher IonRefresherContent IonModal IonDatetime IonSegment IonSegmentButton IonBadge IonAvatar IonProgressBar IonRange IonCheckbox IonTextarea IonAccordion IonAccordionGroup IonChip IonFab IonFabButton IonIcon IonGrid IonRow IonCol IonToast IonAlert IonSpinner IonSkeletonText'.split(
    ' ',
  );
for (let p = 0; p < pages; p++) {
  seed = 777 + p * 101;
  const name = 'Page' + p;
  const some = Array.from({ length: 12 }, () => components[5 + below(components.length - 5)]);
  const used = [...new Set([...components.slice(0, 5), ...some])];
  let body = '';
  const rows = 30 + below(60);
  for (let i = 0; i < rows; i++) {
    const [a, b, k] = [word(), word(), 'k' + below(600)];
    const kind = below(5);
    body +=
      kind == 0
        ? `<IonItem key="${a}-${i}"><IonLabel><h2>{t('${k}')}</h2><p>{when(x.at)} ${a} ${b}</p></IonLabel></IonItem>\n`
        : kind == 1
          ? `{x.amount>${below(900)}&&<IonItem onClick={()=>set({...x,${a}:'${b}',n:${i}})}><IonLabel>{t('${k}')} {ago(x.at)}</IonLabel></IonItem>}\n`
          : kind == 2
            ? `<section className="${a}-${b}"><span>{t('${k}')}</span><b>{x.${a}??'${b}'}</b></section>\n`
            : kind == 3
              ? `{items.filter(i=>i.title.includes('${a}')).map(i=><IonItem key={i.id} routerLink={'/${b}/'+i.id}><IonLabel>{i.title} {due(i.at)}</IonLabel></IonItem>)}\n`
              : `<p style={{padding:${below(32)},margin:${below(8)}}}>{t('${k}')}: {days(x.at,x.at)}</p>\n`;
  }
  if (changed.has('pageline') && p == 7) body += '<p>{t("k5")} fixed rounding</p>\n';
  if (changed.has('multi') && p % 4 == 1)
    body += `<IonItem onClick={()=>set({...x,seen:${p}})}><IonLabel>{t('k${p}')} new {ago(x.at)}</IonLabel></IonItem>\n`;
  const extra =
    p % 6 == 0
      ? `import {Chart,registerables} from 'chart.js';Chart.register(...registerables);const draw=(c,d)=>c&&new Chart(c,{type:'line',data:d});\n`
      : p % 6 == 1
        ? `import L from 'leaflet';import 'leaflet/dist/leaflet.css';const draw=(c,d)=>c&&L.map(c).setView([51,${p}],13);\n`
        : `const draw=()=>0;\n`;
  fs.writeFileSync(
    `src/pages/${name}.jsx`,
    `import {useEffect,useState,useRef} from 'react';import {${used.join(',')}} from '@ionic/react';import {load,when,ago,due,days} from '../api.js';import {t} from '../i18n.js';
${extra}export default function ${name}(){const [x,set]=useState({at:'2024-01-01',amount:1});const [items,setItems]=useState([]);const ref=useRef();
useEffect(()=>{load('${word()}').then(setItems);draw(ref.current,{})},[]);
return <IonPage><IonHeader><IonToolbar><IonTitle>{t('k${p}')}</IonTitle></IonToolbar></IonHeader><IonContent><IonList>${body}</IonList><div ref={ref}/>${used
      .slice(5)
      .map((c) => `<${c}/>`)
      .join('')}</IonContent></IonPage>}\n`,
  );
}

const all = Array.from({ length: pages }, (_, i) => i);
fs.writeFileSync(
  'src/main.jsx',
  `import React,{lazy,Suspense} from 'react';import {createRoot} from 'react-dom/client';import {IonApp,IonRouterOutlet,setupIonicReact} from '@ionic/react';import {IonReactRouter} from '@ionic/react-router';import {Route} from 'react-router-dom';
import '@ionic/react/css/core.css';import '@ionic/react/css/normalize.css';import '@ionic/react/css/structure.css';import '@ionic/react/css/typography.css';import '@ionic/react/css/padding.css';import '@ionic/react/css/flex-utils.css';import '@ionic/react/css/display.css';import './i18n.js';
setupIonicReact();
${all.map((i) => `const P${i}=lazy(()=>import('./pages/Page${i}.jsx'));`).join('\n')}
createRoot(document.getElementById('root')).render(<IonApp><IonReactRouter><IonRouterOutlet><Suspense>${all.map((i) => `<Route path="/p${i}" element={<P${i}/>}/>`).join('')}</Suspense></IonRouterOutlet></IonReactRouter></IonApp>);\n`,
);
fs.writeFileSync(
  'index.html',
  '<!doctype html><html><head><meta name="viewport" content="width=device-width"><title>App</title></head><body><div id="root"></div><script type="module" src="/src/main.jsx"></script></body></html>',
);

// Images and fonts do not compress.
let noise = 99;
const byte = () => {
  noise ^= noise << 13;
  noise ^= noise >>> 17;
  noise ^= noise << 5;
  return noise & 255;
};
for (let i = 0; i < 12; i++) {
  const bytes = Buffer.alloc(20000 + i * 5000);
  for (let j = 0; j < bytes.length; j++) bytes[j] = byte();
  fs.writeFileSync(`public/assets/img${i}.webp`, bytes);
}
